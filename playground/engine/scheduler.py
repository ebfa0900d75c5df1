"""The order of work on one model: which jobs wait, whose prompt is prefilled next, and when rows decode.

Between two decoding steps the scheduler prefills one chunk of a waiting job's ids, after the longest prefix
that the store has of them. A job whose ids are all prefilled is finished: answers join the batch.
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
"""Tokens prefilled in one forward pass while no row decodes."""
CHUNK_DECODING = 64
"""The same while rows decode and wait for it; it takes as long as two or three steps on a CPU."""
WORTH_STORING = 32
"""Computed tokens from which on a job's prefix is stored as soon as it is prefilled."""


class Scheduler:
    """The waiting jobs and the live batch of one model; used by the decode thread alone."""

    def __init__(self, model: Model, store: PrefixStore) -> None:
        self.model = model
        self.store = store
        self.batch = Batch(model, store)
        self.waiting: list[Job] = []
        """Jobs that are not prefilled to the end, in the order they came."""
        self._oldest_first = itertools.cycle((True, False))  # see `_next_job`
        self._ready_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether no job waits and no row decodes."""
        return not (self.waiting or self.batch.rows)

    def admit(self, job: Job) -> None:
        """Prepare a job and let it wait for its turn; one that cannot be served fails at once."""
        job.started = max(job.started, self._ready_at)
        try:
            if prepare_job(job, self.model):
                self.waiting.append(job)
        except InputError as error:
            job.fail(str(error))
        except Exception as error:
            job.fail(explain_failure(error))

    def advance(self) -> None:
        """Drop cancelled jobs, prefill at most one chunk, then decode one step."""
        self.waiting = [job for job in self.waiting if not job.cancelled]
        self.batch.drop_cancelled()
        if (job := self._next_job()) is not None:
            room = CHUNK_DECODING - self._prefill(job)
            # Short jobs share the chunk, so that several people who ask at once do not wait for a step each.
            while self.batch.rows and (job := self._short_job(room)) is not None:
                room -= self._prefill(job)
        if self.batch.rows:
            self.waiting += self.batch.remove_outgrown()
            self.batch.step()

    def fail_all(self, reason: str) -> None:
        """End every job with an error and free what it holds."""
        jobs: list[Job] = [*self.waiting, *self.batch.clear()]
        self.waiting = []
        for job in jobs:
            job.fail(reason)

    # --- Turns ------------------------------------------------------------------------------------

    def _next_job(self) -> Job | None:
        """The job to prefill next, or None if there is none.

        The job that came first and the one with the fewest remaining ids take turns, so that neither a long
        prompt holds up short ones nor short ones a long one. A job that shares its beginning with another
        one that is being prefilled waits for that one's keys and values instead of computing them again.
        """
        ready = self._ready_jobs()
        if not ready:
            return None
        return ready[0] if next(self._oldest_first) else min(ready, key=lambda job: job.remaining)

    def _short_job(self, room: int) -> Job | None:
        """The job that came first, if it has at most `room` ids to compute.

        Only the first is looked up in the store: to look up all of them before every step would take longer
        than it saves.
        """
        job = next(iter(self._ready_jobs()), None)
        return job if job is not None and self._count_uncached(job) <= room else None

    def _count_uncached(self, job: Job) -> int:
        """Number of ids to compute; for a job that has not started, those that are not in the store."""
        if job.kv is not None or self.model.plain:
            return job.remaining
        ids = job.prefill_ids
        _, common = self.store.find_longest(job.owner, ids)
        return max(1, len(ids) - common)

    def _ready_jobs(self) -> list[Job]:
        """The jobs that can be prefilled now."""
        ready = [job for job in self.waiting if not self._shares_beginning(job)]
        urgent = [job for job in ready if job.is_urgent]
        if not urgent and self.batch.rows:
            return []  # warming up waits until no row decodes
        return urgent or ready

    def _shares_beginning(self, job: Job) -> bool:
        """Whether a job should wait for another that is prefilling the same beginning."""
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
        """Prefill one chunk of a job, and finish the job after its last chunk.

        Returns:
            How many tokens were computed.
        """
        tokens = 0
        try:
            kv = job.kv = self._find_prefix(job) if job.kv is None else job.kv
            ids, start = job.prefill_ids, kv.lengths[0]
            chunk = self._cut_chunk(ids, start)
            tokens = len(chunk)
            every = job.needs_logits(start + tokens)
            # Given only where positions depend on it.
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
        """The ids from `start` that one forward pass takes; on the plain path all of them."""
        if self.model.plain:
            return ids[start:]
        return ids[start : start + (CHUNK_DECODING if self.batch.rows else CHUNK_IDLE)]

    def _find_prefix(self, job: Job) -> KV:
        """Keys and values of the job's longest stored prefix; at least one token is left to compute."""
        if self.model.plain:
            return self.model.begin()
        ids = job.prefill_ids
        entry, common = self.store.find_longest(job.owner, ids)
        cached = min(common, job.reusable)
        if len(ids) == len(job.ids):  # an answer that is prefilled again keeps its prompt's number
            job.cached = cached
        return entry.begin(cached) if entry is not None and cached else self.model.begin()
