"""Scheduling of work on one model: waiting jobs, chunked prefill and decoding steps.

Between two decoding steps, the scheduler prefills one chunk of a waiting job, starting after the longest
prefix found in the prefix cache. Once a job is fully prefilled, its `finish` method is called. Answer jobs
then join the batch.
"""

from __future__ import annotations

import itertools
import time

from playground.engine.batch import Batch
from playground.engine.failures import explain_failure
from playground.engine.jobs import Job, prepare_job
from playground.engine.kv import KV, PrefixStore, common_prefix
from playground.engine.model import Model
from playground.types import InputError

CHUNK_IDLE = 512
"""Number of tokens in a prefill chunk while no row is decoding."""
CHUNK_DECODING = 64
"""Number of tokens in a prefill chunk while rows are decoding. The rows wait while the chunk is prefilled,
which on CPU takes as long as two or three decoding steps."""
WORTH_STORING = 32
"""Minimum number of tokens for which storing a prefix is worthwhile. After prefill, a job's token ids are
stored in the prefix cache only if at least this many of them had to be computed."""


class Scheduler:
    """Scheduler for one model's waiting jobs and decoding rows, used only by the decode thread."""

    def __init__(self, model: Model, store: PrefixStore) -> None:
        self.model = model
        self.store = store
        self.batch = Batch(model, store)
        self.waiting: list[Job] = []
        """Jobs that are not yet fully prefilled, in order of arrival."""
        self._oldest_first = itertools.cycle((True, False))  # whether `_next_job` prefers the oldest job
        self._ready_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether no job is waiting and no row is decoding."""
        return not (self.waiting or self.batch.rows)

    def admit(self, job: Job) -> None:
        """Prepare a job and add it to the waiting jobs; a job that cannot be served fails immediately."""
        job.started = max(job.started, self._ready_at)
        try:
            if prepare_job(job, self.model):
                self.waiting.append(job)
        except InputError as error:
            job.fail(str(error))
        except Exception as error:
            job.fail(explain_failure(error))

    def advance(self) -> None:
        """Drop cancelled jobs, prefill at most one chunk of tokens, then run one decoding step."""
        self.waiting = [job for job in self.waiting if not job.cancelled]
        self.batch.drop_cancelled()
        if (job := self._next_job()) is not None:
            room = CHUNK_DECODING - self._prefill(job)
            # Short jobs share the chunk, so that simultaneous short requests do not each wait for another
            # step.
            while self.batch.rows and (job := self._short_job(room)) is not None:
                room -= self._prefill(job)
        if self.batch.rows:
            self.waiting += self.batch.remove_outgrown()
            self.batch.step()

    def fail_all(self, reason: str) -> None:
        """Fail all jobs with an error and free their KV caches."""
        jobs: list[Job] = [*self.waiting, *self.batch.clear()]
        self.waiting = []
        for job in jobs:
            job.fail(reason)

    # --- Choosing the next job --------------------------------------------------------------------

    def _next_job(self) -> Job | None:
        """Return the job to prefill next, or None if no job is ready.

        The oldest job and the job with the fewest remaining ids take turns, so that neither long nor short
        prompts block the others. A job that shares a prefix with another job in prefill waits for the other
        job, so that the shared prefix is not computed twice.
        """
        ready = self._ready_jobs()
        if not ready:
            return None
        return ready[0] if next(self._oldest_first) else min(ready, key=lambda job: job.remaining)

    def _short_job(self, room: int) -> Job | None:
        """Return the oldest ready job if it has at most `room` ids left to compute, otherwise None.

        Only the oldest job is looked up in the prefix cache: looking up every job before every step would
        cost more time than it saves.
        """
        job = next(iter(self._ready_jobs()), None)
        return job if job is not None and self._count_uncached(job) <= room else None

    def _count_uncached(self, job: Job) -> int:
        """Return the number of token ids that a job still has to compute.

        For a job whose prefill has not started, token ids found in the prefix cache are not counted.
        """
        if job.kv is not None or self.model.plain:
            return job.remaining
        ids = job.prefill_ids
        _, common = self.store.find_longest(job.owner, ids)
        return max(1, len(ids) - common)

    def _ready_jobs(self) -> list[Job]:
        """Return the jobs that can be prefilled now, in order of arrival.

        Warm-up jobs are included only if no other job is ready and no row is decoding.
        """
        ready = [job for job in self.waiting if not self._shares_beginning(job)]
        urgent = [job for job in ready if job.is_urgent]
        if not urgent and self.batch.rows:
            return []  # warm-up jobs wait until no row is decoding
        return urgent or ready

    def _shares_beginning(self, job: Job) -> bool:
        """Return whether a job should wait for another job that is prefilling the same prefix."""
        if job.kv is not None:
            return False
        return any(
            other.kv is not None
            and other.owner == job.owner
            and other.is_urgent >= job.is_urgent
            and common_prefix(other.prefill_ids, job.prefill_ids) >= other.kv.lengths[0] + WORTH_STORING
            for other in self.waiting
        )

    # --- Prefill ----------------------------------------------------------------------------------

    def _prefill(self, job: Job) -> int:
        """Prefill one chunk of a job, and finish the job after the last chunk.

        Returns:
            The number of tokens computed.
        """
        tokens = 0
        try:
            kv = job.kv = self._find_prefix(job) if job.kv is None else job.kv
            ids, start = job.prefill_ids, kv.lengths[0]
            chunk = self._cut_chunk(ids, start)
            tokens = len(chunk)
            every = job.needs_logits(start + tokens)
            # Needed only if the model's positions depend on the length of the prompt.
            whole = {"whole": [len(ids)]} if self.model.rope else {}
            logits = self.model.forward(kv, [job.adapter], [chunk], every=every, **whole)
            if every:
                job.read_logits(self.model, logits[0], start)
            if not job.remaining:
                self.waiting.remove(job)
                if len(ids) - job.cached >= WORTH_STORING:
                    self.store.put(job.owner, ids, kv, ended=not job.decodes)
                job.finish(self.batch, kv, logits)
        except Exception as error:
            if job in self.waiting:
                self.waiting.remove(job)
            job.fail(explain_failure(error))
        return tokens

    def _cut_chunk(self, ids: list[int], start: int) -> list[int]:
        """Return the next token ids to prefill, starting at index `start`.

        The result is one chunk or, on the plain code path, all remaining ids.
        """
        if self.model.plain:
            return ids[start:]
        return ids[start : start + (CHUNK_DECODING if self.batch.rows else CHUNK_IDLE)]

    def _find_prefix(self, job: Job) -> KV:
        """Return a KV cache for a job that starts with the longest prefix found in the prefix cache.

        The prefix is limited to `job.reusable` ids. If no prefix is found, the KV cache is empty.
        """
        if self.model.plain:
            return self.model.begin()
        ids = job.prefill_ids
        entry, common = self.store.find_longest(job.owner, ids)
        cached = min(common, job.reusable)
        if len(ids) == len(job.ids):  # keep the original count when an answer is prefilled again
            job.cached = cached
        return entry.begin(cached) if entry is not None and cached else self.model.begin()
