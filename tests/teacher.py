"""What a teacher does, from an empty folder, with nothing but the package."""

from toy_superposition import gallery

# One page for a lecture: six experiments, interactive, each with a question to the audience.
assert gallery.call("--workdir=lecture", "--quick") == 0
with open("lecture/gallery.html") as file:
  page = file.read()
assert len(page) < 8e6
assert page.count("<b>Question:</b>") == 6
assert "http://" not in page.replace("http://www.w3.org", "")  # it needs no network
