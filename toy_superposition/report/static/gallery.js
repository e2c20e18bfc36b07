// Keys for a lecture: n and p go to the next and to the previous experiment, ? opens its answer.

const slides = [...document.querySelectorAll(".slide")];

/** Returns the index of the slide at the top of the window, −1 above the first. */
const current = () => slides.findLastIndex((slide) => slide.getBoundingClientRect().top < 60);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, [type=text]"))
    return;
  const at = current();
  if (event.key === "?" && at >= 0) {
    const answer = slides[at].querySelector(".answer");
    answer.open = !answer.open;
    return;
  }
  const to = slides[at + {n: 1, p: -1}[event.key]];
  if (!to) return;
  to.scrollIntoView();
  to.querySelector("h2").focus({preventScroll: true});
});
