"""Training beside the pipeline: rendered training data, the embedded encoder, the proposer and few-shot adaptation."""
