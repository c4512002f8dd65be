"""What is still to be asked of a release: all, some models, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.atlas.archives import Archives
from conformance.atlas.files import AtlasFolder
from conformance.atlas.history import Atlas, models_at
from conformance.atlas.list_changes import ModelList, described_differently
from conformance.atlas.measuring import Wish
from conformance.atlas.releases import in_order, numbers_of
from conformance.embedded.config import WIDE_FLEET
from conformance.embedded.config import fleet as described_fleet
from conformance.embedded.model_lists import list_of
from conformance.errors import AtlasError, EmbeddedGatewayError
from conformance.parameters import Registry
from conformance.plan.cells import select_models
from conformance.types import Model, Parameter


@dataclass(frozen=True)
class Asking:
    """What a run was told to ask: these parameters of the models that fit `selection`.

    Of a release that the atlas has, only what it lacks is asked. With `again` all is asked anew. With `todays_list`
    those models are asked again that the newest release's list of models describes differently.
    """

    registry: Registry
    parameters: tuple[Parameter, ...]
    selection: str | None = None
    again: bool = False
    todays_list: bool = False

    def require_all_parameters(self, folder: AtlasFolder) -> None:
        """Raise `AtlasError` where models that the atlas has would be asked again about some parameters only.

        Their other cells would keep a list of models, or evidence, that is not theirs.
        """
        if not (self.again or self.todays_list):
            return
        channels = (each for models in folder.read()["cells"].values() for each in models.values())
        left_out = {name for parameters in channels for name in parameters} - {each.id for each in self.parameters}
        if left_out:
            raise AtlasError(
                f"the atlas has {len(left_out)} parameters that --parameters leaves out, the first is {min(left_out)}; "
                "measure all of them, or name another folder with --into"
            )

    def still_to_ask(self, folder: AtlasFolder, versions: Sequence[str]) -> list[str]:
        """The releases of which something may have to be asked, where the newest of them brings its list of models.

        `wish` may still find nothing: it reads the lists.
        """
        atlas, archives = folder.read(), Archives(folder.path)
        newest = max((*atlas["releases"], *versions), key=numbers_of, default="")

        def is_done(version: str) -> bool:
            if self.again or version not in atlas["releases"]:
                return False
            relisted = self.todays_list and atlas["releases"][version]["model_list"] != newest
            return not relisted and not self._lacking(atlas, archives, version)

        return [version for version in versions if not is_done(version)]

    def wish(self, folder: AtlasFolder, version: str, say: Callable[[str], None]) -> Wish | None:
        """What to ask a release, and with which list of models; None for nothing.

        A release that is new, or asked whole, goes by the list of the newest release that the atlas then has. One that
        is asked about some models keeps the list of the others. If a newer list describes no model differently, the
        release is noted with that list. Raises `ConformanceError`.
        """
        atlas = folder.read()
        newest = in_order({*atlas["releases"], version})[-1]
        if version not in atlas["releases"]:
            return self._wish(self.selection, newest)
        model_list: str = atlas["releases"][version]["model_list"]
        chosen = self._chosen()
        if self.again:
            rest = models_at(atlas, version) - set(chosen)
            return self._wish(self.selection, model_list if rest else newest)
        asked = self._lacking(atlas, Archives(folder.path), version)
        if self.todays_list and model_list != newest:
            lists = (_read(each, say) for each in (model_list, newest))
            differing = set(described_differently(models_at(atlas, version), *lists))
            if differing <= set(chosen):
                asked |= differing
                model_list = newest
                if not asked:
                    folder.relist(version, newest)
            else:
                gone = len(differing - set(chosen))
                say(f"LiteLLM {version} keeps its list of models: the fleet lacks {gone} models that the newer changes")
        if not asked:
            say(f"LiteLLM {version}: nothing to ask")
            return None
        return self._wish(",".join(name for name in chosen if name in asked), model_list)

    def _wish(self, selection: str | None, model_list: str) -> Wish:
        return Wish(self.registry, self.parameters, model_list, selection)

    def _lacking(self, atlas: Atlas, archives: Archives, version: str) -> set[str]:
        """The models that a release lacks, or whose evidence it lacks."""
        known = models_at(atlas, version) - archives.unproven(atlas, version)
        return {name for name in self._chosen() if name not in known}

    def _chosen(self) -> list[str]:
        """The models of the fleet that are asked about."""
        fleet = [Model(id=row["name"]) for row in described_fleet(WIDE_FLEET)["deployment"]]
        return [model.id for model in select_models(fleet, self.selection)]


def _read(release: str, say: Callable[[str], None]) -> ModelList:
    path = list_of(release, say)
    try:
        rows: ModelList = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EmbeddedGatewayError(f"the list of models {path} is not JSON ({error}); remove it") from None
    return rows
