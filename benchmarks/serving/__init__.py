"""What an answer costs here and elsewhere: the same fitted pipelines behind several servers."""
