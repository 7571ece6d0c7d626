"""Reports by hand and by the hour: the command, the job, the API, the gauges, and the gate."""
