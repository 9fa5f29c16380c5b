"""The practice model: an upstream that is built in, offline and free of charge."""

from swsllm_nb.proxy.practice.upstream import PracticeUpstream

__all__ = ["PracticeUpstream"]
