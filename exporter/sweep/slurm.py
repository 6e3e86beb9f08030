"""Workers of a Slurm cluster: submitit submits the jobs, Slurm runs them, its `squeue` says what became of them.

Not `sacct`, which submitit asks: it wants a database that many clusters do without.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from exporter.errors import NoCluster, RecipeError
from exporter.processes.child_process import run_child
from exporter.suggestions import shortened
from exporter.sweep.task import Task, read_answer
from exporter.sweep.worker import work
from exporter.sweep.workers import PATIENCE_S

INSTALL = "pip install 'exporter[slurm]'"
ASKED_S, GRACE_S, CANCELLED_S = 60, 5, 60  # for an answer of Slurm's; for a file to show itself; for jobs to end
LONGEST_PAUSE_S = 5.0  # between two looks at a long sweep: every look asks the cluster's controller
ONCE = 1000  # jobs of one array; Slurm's own limit is 1001 unless a cluster sets another
OURS = {"no-requeue": True}  # a job that its node lost is ours to retry, once, and to name
NOT_PASSED = ("array", "dependency", "output", "error", "job-name", "wrap", "requeue", "ntasks", "nodes", "signal")
_OPEN = frozenset(
    {"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "STOPPED", "RESIZING"}
    | {"REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
_WHY = {
    "TIMEOUT": "its time limit was over",
    "NODE_FAIL": "its node is gone",
    "OUT_OF_MEMORY": "it ran out of memory",
    "CANCELLED": "its job was cancelled",
    "PREEMPTED": "its job was preempted",
    "BOOT_FAIL": "its node did not boot",
    "DEADLINE": "its deadline was over",
}


class SlurmWorkers:
    """Jobs of one array, `number` at a time where it is given; `folder`: of the jobs' files, seen by all nodes."""

    def __init__(self, folder: Path, number: int | None, options: Mapping[str, str]) -> None:
        """`options`: sbatch's own, as it has them. Raises NoCluster, or RecipeError for an option that is wrong."""
        _check(options)
        self._folder, self._number = folder, number
        self._name = f"exporter-{sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
        self._options: dict[str, Any] = {**OURS, **options}
        if "time" not in options and (limit := _time_limit(options.get("partition"))):
            self._options["time"] = limit
        self._jobs: dict[str, Task] = {}
        self._gone_s: dict[str, float] = {}
        self._arrays: list[str] = []
        self._pause_s = PATIENCE_S
        self.end()  # jobs that a killed sweep left: they would hold the build folders

    def start(self, tasks: Sequence[Task]) -> None:
        for begin in range(0, len(tasks), ONCE):
            self._submit(tasks[begin : begin + ONCE])

    def ended(self) -> dict[Task, str]:
        states = _states(self._name)
        now_s = time.monotonic()
        found = {}
        for job, task in self._jobs.items():
            answer, state = read_answer(task), None if states is None else states.get(job, "gone")
            if answer is not None and not answer.taken_away:
                found[job] = ""
            elif state is None or state in _OPEN:  # also of one that was told to end: its job will say why
                self._gone_s.pop(job, None)
            elif answer is not None or now_s - self._gone_s.setdefault(job, now_s) > GRACE_S:
                found[job] = _WHY.get(state, f"its job is {state.lower()}")
        self._pause_s = PATIENCE_S if found or self._gone_s else min(self._pause_s * 1.3, LONGEST_PAUSE_S)
        if not found:
            time.sleep(self._pause_s)
        return {self._jobs.pop(job): why for job, why in found.items()}

    def end(self) -> None:
        if not _states(self._name):
            return
        _ask("scancel", f"--name={self._name}")
        late_s = time.monotonic() + CANCELLED_S
        while time.monotonic() < late_s and any(state in _OPEN for state in (_states(self._name) or {}).values()):
            time.sleep(0.2)

    def _submit(self, tasks: Sequence[Task]) -> None:
        """Behind the arrays that are there, so that no more than `number` run: a retry waits for its turn, too."""
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError

        options = dict(self._options)
        if self._arrays and self._number is not None:
            options["dependency"] = f"afterany:{':'.join(self._arrays)}"
        executor = SlurmExecutor(self._folder)
        executor.update_parameters(
            job_name=self._name,
            use_srun=False,  # one process on one node, in all that the job was given
            array_parallelism=self._number or len(tasks),
            additional_parameters=options,
        )
        try:
            jobs = executor.map_array(work, tasks)
        except FailedJobError as error:
            raise _refusal(str(error)) from None
        self._arrays.append(jobs[0].job_id.partition("_")[0])
        self._jobs |= {job.job_id: task for job, task in zip(jobs, tasks, strict=True)}


def _check(options: Mapping[str, str]) -> None:
    for name in options:
        if name.replace("_", "-") in NOT_PASSED:
            raise RecipeError(f"--slurm {shortened(name)}=…: a sweep sets that itself")
    if find_spec("submitit") is None:
        raise NoCluster("--on slurm needs submitit, which is not installed", hint=INSTALL)
    for program in ("sbatch", "squeue", "scancel", "sinfo"):
        if shutil.which(program) is None:
            hint = "start the sweep where jobs are submitted from, or --on local"
            raise NoCluster(f"there is no Slurm here: {program} is not on the PATH", hint=hint)


def _time_limit(partition: str | None) -> str:
    """What Slurm would take for the partition; submitit's own default is five minutes. Raises NoCluster."""
    found = _ask("sinfo", "--noheader", "--format=%P|%L|%l", *([f"--partition={partition}"] if partition else []))
    rows = [line.split("|") for line in found.splitlines()]
    rows = [row for row in rows if partition or row[0].endswith("*")] or rows
    if not rows:
        raise RecipeError(f"--slurm partition={shortened(partition or '')}: Slurm has no such partition")
    _, default, limit = rows[0]
    return limit if default == "n/a" else default


def _states(name: str) -> dict[str, str] | None:
    """Job → state, also of those that ended lately; None where Slurm's controller does not answer now."""
    command = ["--noheader", "--array", "--states=all", f"--name={name}", "--format=%i|%T"]
    try:
        return dict(line.split("|", 1) for line in _ask("squeue", *command).split())
    except NoCluster:
        return None


def _ask(program: str, *words: str) -> str:
    try:
        done = run_child([program, *words], timeout_s=ASKED_S)
    except Exception as error:  # it does not start, or not answer in time
        raise NoCluster(f"{program} gave no answer: {error}") from None
    if done.returncode:
        raise NoCluster(
            f"Slurm does not answer: {_last_line(done.stderr) or f'{program} ended with {done.returncode}'}"
        )
    return done.stdout


def _refusal(said: str) -> NoCluster | RecipeError:
    reason = _last_line("\n".join(line for line in said.splitlines() if "sbatch: " in line)) or _last_line(said)
    if "nable to contact" in said or "onnection refused" in said:
        return NoCluster(f"Slurm does not answer: {reason}")
    return RecipeError(f"Slurm refused the jobs: {reason}", hint="its options are given as --slurm NAME=VALUE")


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or [""])[-1]
