"""What the panels of sparse autoencoders are given: scores over axes, and matched latents."""

import json

import numpy as np
import pytest
import xarray as xr

from tests import dictionaries, pages
from tests.report_test import page, unpacked
from toy_superposition import fields
from toy_superposition.recovery import chance, metrics
from toy_superposition.report import explanations, latents, panels, runs, scores

TOPK = ("topk_sae", 0.0, 2.0, False)
ROOM = 1e6  # bytes


def autoencoders(n_variants: int = 3, n_seeds: int = 2, **changes) -> xr.Dataset:
  """Returns results of sparse autoencoders with random decoders."""
  mcc = np.random.default_rng(1).uniform(0.5, 1, (n_variants, n_seeds))
  data = dictionaries.scored([TOPK] * n_variants, n_seeds, **{"mcc": mcc} | changes)
  return data.assign_attrs(model="topk_sae")


def with_decoder(decoder, dictionary) -> xr.Dataset:
  """Returns results of one autoencoder with these directions."""
  m, d = np.shape(decoder)
  data = autoencoders(1, 1, sizes=(np.shape(dictionary)[1], m, d))
  data["W_dec"][:] = decoder
  data["dictionary"][:] = dictionary
  return data


def test_results_of_sparse_autoencoders_have_both_panels_and_others_have_neither():
  ((first, second),) = panels.make([{"/": autoencoders()}])
  assert (first.kind, second.kind) == ("scores", "latents")
  assert not first.error and not second.error
  ours = {
    panel.kind for panel in panels.make([{"/": pages.dataset({"restart": [0]}, m=2, n=4)}])[0]
  }
  assert not ours & {"scores", "latents"}
  without_scores = autoencoders().drop_vars("mcc")
  assert [panel.kind for panel in panels.make([{"/": without_scores}])[0]] == ["latents"]


@pytest.mark.parametrize("kind", ["scores", "latents"])
def test_the_panels_of_sparse_autoencoders_are_explained(kind):
  (paragraph,) = explanations.of_panel(kind, {})
  assert all(part.endswith(".") for part in paragraph)


def test_scores_are_means_and_ranges_over_seeds_at_every_point():
  data = autoencoders(3, 4, mcc_chance=0.25)
  shown = scores.data(data, ROOM)
  assert [axis["name"] for axis in shown["axes"]] == ["variant"]
  assert shown["repeated"] == {"seed": 4}
  mcc = data["mcc"].values
  parts = np.stack([mcc.mean(axis=1), mcc.min(axis=1), mcc.max(axis=1)], axis=1)
  np.testing.assert_allclose(unpacked(shown["mcc"]), parts, atol=1e-4)
  np.testing.assert_allclose(unpacked(shown["mcc_chance"]), 0.25, atol=1e-4)
  assert "bound" not in shown  # nothing says how many features there are to find


def test_the_bound_of_scores_is_the_share_of_represented_features_with_a_latent():
  data = autoencoders(2, 2, sizes=(20, 3, 6))
  data = data.assign(n_represented=(("variant", "seed"), [[6, 6], [12, 8]]))
  shown = unpacked(scores.data(data, ROOM)["bound"])
  np.testing.assert_allclose(shown[:, 0], [1, (6 / 12 + 6 / 8) / 2], atol=1e-4)


def test_a_diverged_seed_does_not_count_in_the_mean_of_the_others():
  data = autoencoders(2, 3)
  data["mcc"][0, 1] = np.nan
  shown = unpacked(scores.data(data, ROOM)["mcc"])
  np.testing.assert_allclose(shown[0, 0], data["mcc"][0, [0, 2]].mean(), atol=1e-4)
  data["mcc"][0] = np.nan
  assert np.isnan(unpacked(scores.data(data, ROOM)["mcc"])[0]).all()


def test_the_rows_of_a_matrix_begin_with_the_features_own_latents():
  rng = np.random.default_rng(0)
  truth = np.linalg.qr(rng.normal(size=(5, 5)))[0]
  order = [3, 0, 4, 1, 2]
  decoder = np.concatenate([truth[:, order], truth[:, [4, 1]]], axis=1)  # two duplicates
  shown = latents.data(with_decoder(decoder, truth), ROOM)
  cosine, latent = unpacked(shown["cosine"])[0], unpacked(shown["latent"])[0].astype(int)
  np.testing.assert_allclose(cosine, metrics.cosines(decoder, truth)[latent], atol=1e-4)
  np.testing.assert_allclose(cosine[:5], np.eye(5), atol=1e-4)
  assert unpacked(shown["row"])[0].tolist() == [0, 1, 2, 3, 4]
  assert cosine[5:].argmax(axis=1).tolist() == [1, 4]  # the others, by their nearest feature
  assert shown["mcc"] == [1]


def test_features_that_a_source_does_not_represent_have_no_latent():
  rng = np.random.default_rng(0)
  W = rng.normal(size=(3, 4)) * [1, 0.01, 1, 1]  # feature 1 is not represented
  data = with_decoder(rng.normal(size=(3, 5)), np.zeros((3, 4))).drop_vars("dictionary")
  dims = ("variant", "seed", "input", "feature")
  data = data.assign(source_W=(dims, W[None, None]), source_b=(("feature",), np.zeros(4)))
  data = data.assign_attrs(source_config=json.dumps(fields.defaults()))
  shown = latents.data(data.drop_vars("mcc_chance"), ROOM)
  row = unpacked(shown["row"])[0]
  assert row[1] == -1 and sorted(row[[0, 2, 3]]) == [0, 1, 2]
  assert (unpacked(shown["cosine"])[0][:, 1] == 0).all()
  cosine = metrics.cosines(data["W_dec"].values[0, 0], W[:, [0, 2, 3]])
  assert shown["mcc"][0] == pytest.approx(metrics.mcc(cosine), rel=1e-4)
  by_chance = chance.chance(metrics.mcc, W[:, [0, 2, 3]], 5).mean
  assert shown["chance"][0] == pytest.approx(by_chance, rel=1e-4)


def test_chance_of_a_feature_is_that_of_features_with_a_latent():
  data = with_decoder(np.eye(3, 2), np.eye(3, 4))  # 2 latents for 3 directions
  data["mcc_chance"][:] = 0.4
  shown = latents.data(data, ROOM)
  assert shown["chance"] == [0.4] and shown["chance_each"] == [0.6]
  assert unpacked(shown["row"])[0].tolist().count(-1) == 2


def test_large_matrices_and_sweeps_are_thinned_with_a_note(tmp_path):
  data = autoencoders(6, 1, sizes=(300, 8, 500))
  text = page(tmp_path, pages.run("large", data))
  assert len(text.encode()) < 3e6
  assert "128 of 300 features, 256 of 500 latents" in text
  shown = latents.data(data, ROOM)
  assert shown["features"][0] == 0 and shown["features"][-1] == 299
  assert shown["cosine"]["shape"][1:] == [256, 128]
  assert len(json.dumps(shown)) < 1.1 * ROOM


def test_a_model_that_is_not_finite_leaves_the_others():
  data = autoencoders(2, 1)
  data["W_dec"][0, 0, 0, 0] = np.inf
  shown = latents.data(data, ROOM)
  cosine = unpacked(shown["cosine"])
  assert np.isnan(cosine[0]).all() and np.isfinite(cosine[1]).all()
  assert shown["mcc"][0] is None and shown["mcc"][1] > 0


def test_a_run_of_sparse_autoencoders_is_described_by_its_latents_and_its_model():
  data = autoencoders()
  n, d = data.sizes["feature"], data.sizes["latent"]
  config = {"model.n_features": 9, "model.n_hidden": 9, "model.name": "relu_output"}
  found = runs._sizes(config, {"/": data})
  assert found == f"{n} features and {d} latents, topk_sae: {data['finite'].size} models."
