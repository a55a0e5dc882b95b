"""Reports that take a while: made by a task queue, with their progress in the browser."""
