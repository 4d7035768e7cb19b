"""Faults of one line each in the refusal of run folders and in their locks, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["FOLDER_MUTATIONS"]

_PLACE = "panacea_sim/trace/run_place.py"
_LOCK = "panacea_sim/trace/folder_lock.py"
_FOLDERS = "tests/commands/test_run_folders.py"

_FOREIGN = ("tests/trace/test_run_folder.py",)
_OTHERS = (f"{_FOLDERS}::test_force_refuses_a_folder_with_other_runs",)
_OWN = (f"{_FOLDERS}::test_force_replaces_a_study_with_its_own_runs",)
_LEFT = (f"{_FOLDERS}::test_a_study_replaces_what_it_has_left",)
_REFUSED = (f"{_FOLDERS}::test_what_is_no_run_folder_is_refused_before_the_run",)
_RUNNING = (f"{_FOLDERS}::test_nobody_writes_into_a_study_that_is_running",)
_SECOND = (f"{_FOLDERS}::test_the_second_of_two_runs_is_refused_at_once",)
_ONE_PROCESS = (f"{_FOLDERS}::test_two_runs_of_one_process_are_kept_apart",)
_LOCKS = ("tests/trace/test_folder_lock.py",)

FOLDER_MUTATIONS = (
    Mutation(
        "any folder is a run's",
        _PLACE,
        "if not (path / RUN_MARK).is_file():",
        "if False:",
        _FOREIGN,
    ),
    Mutation(
        "a run is replaced without force",
        _PLACE,
        "if not force:",
        "if False:",
        _FOREIGN,
    ),
    Mutation(
        "other runs go with the folder",
        _PLACE,
        "return sorted(path for path in _marked(folder) if path not in own)",
        "return []",
        _OTHERS,
    ),
    Mutation(
        "a study may not replace its own runs",
        _PLACE,
        "own = {folder, *(folder / name for name in _study_runs(folder))}",
        "own = {folder}",
        _OWN,
    ),
    Mutation(
        "what an ended study has left is another's",
        _PLACE,
        "return names | {name + PARTIAL for name in names} if folder.name.endswith(PARTIAL) else names",
        "return names",
        _LEFT,
    ),
    Mutation(
        "links are followed",
        _PLACE,
        "if target.is_symlink():",
        "if False:",
        _REFUSED,
    ),
    Mutation(
        "anybody may write into a study that is running",
        _PLACE,
        "if folder.name.endswith(PARTIAL) and mark.is_file() and not is_held_here(mark):",
        "if False:",
        _RUNNING,
    ),
    Mutation(
        "a study may not write into its own folder",
        _PLACE,
        "if folder.name.endswith(PARTIAL) and mark.is_file() and not is_held_here(mark):",
        "if folder.name.endswith(PARTIAL) and mark.is_file():",
        _OWN,
    ),
    Mutation(
        "a lock that another process holds is free",
        _LOCK,
        "return False",
        "return True",
        _SECOND,
    ),
    Mutation(
        "a lock that this process holds is free",
        _LOCK,
        "if is_held_here(mark):",
        "if False:",
        _ONE_PROCESS,
    ),
    Mutation(
        "a lock that is released stays",
        _LOCK,
        "if _held.pop(self._key, None) is not None:",
        "if _held.get(self._key) is None:",
        _LOCKS,
    ),
    Mutation(
        "a forked process holds the locks of its parent",
        _LOCK,
        "return key is not None and _held.get(key) == os.getpid()",
        "return key in _held",
        _LOCKS,
    ),
    Mutation(
        "a mark that was moved is still locked",
        _LOCK,
        "return _key(self._mark) == self._key",
        "return True",
        _LOCKS,
    ),
)
