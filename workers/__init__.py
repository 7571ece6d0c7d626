"""The workers' floor: intake, jobs, schedule, connectors, the command line."""
