"""Jobs over tables of any size: a fixed plan, shards that are written atomically, and workers that may be killed."""

from quoth.tables.job.plan import Counts, Plan
from quoth.tables.job.run import Job, Status, Summary, inspect_job, run

__all__ = ["Counts", "Job", "Plan", "Status", "Summary", "inspect_job", "run"]
