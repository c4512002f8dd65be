"""Commands that make something to read of a matrix: the page, a difference, a bug report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from conformance.atlas import SHIPPED
from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder
from conformance.atlas.standing import names_release, standing_at
from conformance.cassettes.folder import OWN_RECORDINGS, Folder
from conformance.errors import CassetteError, ReportError
from conformance.files import write_atomically
from conformance.matrix.comparison import compare_matrices
from conformance.matrix.document import Matrix
from conformance.measure.runs import made_in
from conformance.parameters import load_registry
from conformance.provider.target import target_from_options
from conformance.report import PAGE, difference
from conformance.report.matrix_file import matrix_path, read_matrix
from conformance.report.page import write_page
from conformance.report.shapes import write_all


@click.command()
@click.option("--matrix", metavar="FILE", default="reports/matrix.json", help="The matrix (reports/matrix.json).")
@click.option("--cassettes", metavar="DIR", help="The folder of the recordings (cassettes, or beside the matrix).")
@click.option("--baseline", metavar="FILE", help="An older matrix, to show what changed since.")
@click.option("--out", metavar="FILE", help="Where the page goes (index.html beside the matrix).")
@click.option("--allure", is_flag=True, help="Also make Allure's report, beside the page.")
@click.option("--allure-command", metavar="CMD", default="allure", help="The command that runs Allure (allure).")
def report(
    matrix: str, cassettes: str | None, baseline: str | None, out: str | None, allure: bool, allure_command: str
) -> None:
    """Make the compatibility page from a matrix and its recordings, and all other reports."""
    found = read_matrix(matrix)
    older = read_matrix(baseline) if baseline else None
    target = Path(out) if out else matrix_path(matrix).parent / PAGE
    folder = Folder(Path(cassettes) / found["gateway"]["name"]) if cassettes else _recording_of(found, matrix)
    if not folder.path.is_dir():
        click.echo(
            f"no recordings in {folder.path}, so the page has no evidence; name their folder with --cassettes", err=True
        )
    write_page(target, found, folder, baseline=older)
    write_all(found, target.parent)
    click.echo(f"page: {target}")
    if allure:
        # Imported here: pytest and Allure take a fifth of a second.
        from conformance.report.allure.command import REPORT, make_report
        from conformance.report.allure.results import FOLDER

        made = target.parent / REPORT
        make_report(target.parent / FOLDER, made, allure_command)
        click.echo(f"allure: {made}")


@click.command()
@click.argument("cell")
@click.option("--matrix", metavar="FILE", default="reports/matrix.json", help="The matrix (reports/matrix.json).")
@click.option("--cassettes", metavar="DIR", help="The folder of the recordings (cassettes, or beside the matrix).")
@click.option("--ask", is_flag=True, help="Ask the gateway again, and make the request as small as it can be.")
@click.option("--header", metavar="'NAME: VALUE'", multiple=True, help="With --ask: a header that the gateway wants.")
@click.option("--ca-bundle", metavar="FILE", help="With --ask: the certificates to trust in place of the public ones.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Where the report goes (standard output).")
def reproduce(
    cell: str,
    matrix: str,
    cassettes: str | None,
    ask: bool,
    header: tuple[str, ...],
    ca_bundle: str | None,
    out: Path | None,
) -> None:
    """Make a bug report of a rejected or ignored CELL: the smallest request that fails, and what came back.

    CELL is MODEL/ENDPOINT/MODE/PARAMETER, such as claude-haiku-4-5/responses/whole/prompt_cache_key, or a test's
    name. The report holds no key and no address. With --ask it sends at most 60 requests.
    """
    from conformance.reproduce.command import reproduce as report_on  # what sends takes a tenth of a second to load

    found = read_matrix(matrix)
    folder = Folder(Path(cassettes) / found["gateway"]["name"]) if cassettes else _recording_of(found, matrix)
    target = target_from_options(header, ca_bundle) if ask else None
    text = report_on(cell, found, folder, ask=ask, target=target, say=lambda line: click.echo(line, err=True))
    if out is None:
        click.echo(text.encode("utf-8"), nl=False)
        return
    try:
        write_atomically(out, text)
    except OSError as error:
        raise ReportError(f"cannot write {out} ({error.strerror}); name another file with --out") from None
    click.echo(f"report: {out}")


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--markdown", "form", flag_value="markdown", help="As Markdown that fits a pull request's comment.")
@click.option("--json", "form", flag_value="json", help="As JSON, with every cell.")
def diff(old: str, new: str, form: str | None) -> None:
    """Show what changed between two matrices, folders that hold one, or LiteLLM releases of the atlas (1.90 1.109.3).

    Exit code 0: nothing got worse. 1: something that was safe to send is now rejected. 4: a matrix
    cannot be read.
    """
    releases = [name for name in (old, new) if _is_release(name)]
    if len(releases) == 1:
        raise ReportError(
            f"{releases[0]} is a release of the atlas, whose models have other names than your gateway's; "
            "compare two releases, or two matrices"
        )
    comparison = compare_matrices(*(_releases(old, new) if releases else (read_matrix(old), read_matrix(new))))
    if form == "json":
        click.echo(json.dumps(comparison.as_json(), indent=1))
    elif form == "markdown":
        click.echo(difference.as_markdown(comparison).encode("utf-8"), nl=False)
    else:
        Console(highlight=False).print(difference.as_renderable(comparison))
    sys.exit(1 if comparison.breaks else 0)


def _is_release(name: str) -> bool:
    """Whether a name can only be a release: there is no such file, and no such folder with a matrix."""
    return names_release(name) and not matrix_path(name).is_file()


def _releases(old: str, new: str) -> tuple[Matrix, Matrix]:
    """The matrices of two releases in the shipped atlas."""
    folder, registry = AtlasFolder(SHIPPED), load_registry()
    atlas, archives = folder.read(), Archives(folder.path)
    return standing_at(atlas, archives, old, registry), standing_at(atlas, archives, new, registry)


def _recording_of(matrix: Matrix, place: str) -> Folder:
    """The recording that a matrix was made from: one that lies beside it, if it is that, else the usual one."""
    beside, usual = (
        Folder(folder / matrix["gateway"]["name"])
        for folder in (matrix_path(place).parent / OWN_RECORDINGS, Path("cassettes"))
    )
    try:
        return beside if made_in(beside.read_gateway(), matrix) else usual
    except CassetteError:
        return usual
