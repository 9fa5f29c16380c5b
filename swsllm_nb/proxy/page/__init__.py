"""The pages that people see: the public front, the student's page, and staff's."""

from swsllm_nb.proxy.page.address import PublicAddress
from swsllm_nb.proxy.page.site import Pages, pages_over

__all__ = ["Pages", "PublicAddress", "pages_over"]
