"""What a check can say."""

PASSED, FAILED, WITHHELD, NOT_DONE = "passed", "failed", "withheld", "not_done"
