"""What happens without a click: schedules, and the functions behind the jobs."""
