"""No mutation is stale: what it replaces is there just once, and its tests exist."""

import pytest
from faults.list_of_mutations import MUTATIONS, Mutation
from faults.mutations import ROOT, changed
from faults.page_mutations import PAGE_MUTATIONS

EVERY = (*MUTATIONS, *PAGE_MUTATIONS)


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: mutation.name)
def test_a_mutation_still_fits_the_program_and_its_tests(mutation: Mutation) -> None:
    for path, text in changed(mutation, ROOT).items():
        compile(text, path, "exec")
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text("utf-8"), test


def test_every_mutation_has_a_name_of_its_own_and_a_few_are_fast() -> None:
    assert len({mutation.name for mutation in EVERY}) == len(EVERY)
    assert 5 <= sum(mutation.fast for mutation in EVERY) <= 8
