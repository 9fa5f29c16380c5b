"""One account as staff see it: how it stands, its ledger, its refusals, and every act on it."""

from typing import Any

from starlette.responses import Response

from swsllm_nb.proxy import audit
from swsllm_nb.proxy.overview import listed_account
from swsllm_nb.proxy.page.staff_desk import office_of, said, sheet_answer
from swsllm_nb.proxy.page.visit import Visit
from swsllm_nb.proxy.receipts import Receipt, Wanted, burn_down, receipts, spend_by_model
from swsllm_nb.proxy.sheets import Cell, Dollars

__all__ = ["account", "credit", "edit"]
