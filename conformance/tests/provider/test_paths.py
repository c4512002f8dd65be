"""The paths that the documents gave stay, wherever the code moves to."""

from __future__ import annotations

from conformance.provider import shipped_table_path
from conformance.tests.helpers.running import CHECKOUT


def test_the_table_stays_where_it_is() -> None:
    """Given the path in the documents and in workflows, when the table is looked for, then it is there."""
    assert shipped_table_path() == CHECKOUT / "conformance" / "provider" / "parameter_support.json"
    assert shipped_table_path().is_file()


def test_the_earlier_path_of_the_plug() -> None:
    """Given a program with the import that the documents gave before, when it runs, then it gets the same function."""
    from conformance.provider.integrations import pydantic_ai_models
    from conformance.provider.plugs.pydantic_ai_models import litellm_model

    assert litellm_model is pydantic_ai_models.litellm_model
