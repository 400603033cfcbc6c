"""What becomes of what executors post: values, failures, skips, retries."""
