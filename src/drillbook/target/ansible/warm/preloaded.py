# mypy: disable-error-code="no-untyped-call,no-untyped-def,import-untyped"
# (ansible-core is not typed)
"""Imports Ansible, and loads once what each play would load.

The rule: a prepared file is used where a cold run would load the same file, and nowhere else. This module puts aside
the modules of built-in plugins and their parsed documentation, under the path that they came from, and empties all
caches. A play searches its plugins by its own paths as usual. Where it finds a prepared one, it takes that instead of
reading the file again. So a plugin of the repository with the name of a built-in one still comes first.

Measured on 2 slow cores: the import is 1.3 s of a play's start, runtime.yml 0.3 s, the plugins and their documentation
0.2 s.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible import constants
from ansible._internal._templating._engine import TemplateEngine
from ansible.cli.playbook import PlaybookCLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.plugins import get_plugin_class, loader
from ansible.plugins.loader import PluginLoader
from ansible.utils.collection_loader import AnsibleCollectionConfig, _collection_finder
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

from drillbook.target.private_folders import PrivateFolder

Definitions = dict[str, Any]
_STORED = "ansible.plugins."


class Prepared:
    """What was loaded, by the path that it came from. A play takes each once."""

    def __init__(self) -> None:
        self.modules: dict[tuple[str, str], ModuleType] = {}
        self.definitions: dict[tuple[str, str], Definitions | None] = {}  # None: the plugin defines no options
        self.routing: dict[bytes, Any] = {}


def prepare() -> Prepared:
    """Load what most plays need. Call it once, before the first fork."""
    prepared = Prepared()
    imported = frozenset(sys.modules)
    _put_in(prepared)
    _load_plugins(prepared)
    _forget(prepared, imported)
    return prepared


def _put_in(prepared: Prepared) -> None:
    """Make Ansible's loaders take what is prepared."""
    load_source: Callable[..., ModuleType] = PluginLoader._load_module_source
    load_definitions: Callable[..., None] = PluginLoader._load_config_defs
    parse: Callable[..., Any] = _collection_finder._meta_yml_to_dict

    def module_source(self: Any, *, python_module_name: str, path: str) -> ModuleType:
        if python_module_name not in sys.modules:
            found = prepared.modules.get((python_module_name, path))
            if found is not None:
                sys.modules[python_module_name] = found
                return found
        return load_source(self, python_module_name=python_module_name, path=path)

    def definitions(self: Any, name: str, module: ModuleType, path: str) -> None:
        kind = get_plugin_class(self.class_name) if self.class_name else ""
        if (kind, path) in prepared.definitions and not constants.config.has_configuration_definition(kind, name):
            options = prepared.definitions.pop((kind, path))  # a second name gets its own: they change in place
            if options is not None:
                constants.config.initialize_plugin_configuration_definitions(kind, name, options)
        else:
            load_definitions(self, name, module, path)

    def routing(text: bytes | str, content_id: tuple[str, str]) -> Any:
        kept = text.encode() if isinstance(text, str) else text
        if content_id[0] != "ansible.builtin":
            return parse(text, content_id)
        return prepared.routing.pop(kept) if kept in prepared.routing else parse(text, content_id)

    PluginLoader._load_module_source = module_source
    PluginLoader._load_config_defs = definitions
    _collection_finder._meta_yml_to_dict = routing


def _load_plugins(prepared: Prepared) -> None:
    """Load the built-in plugins through Ansible's own loaders, which search no other folder during this time."""
    parsed: dict[bytes, Any] = {}
    parse = _collection_finder._meta_yml_to_dict

    def remember(text: bytes | str, content_id: tuple[str, str]) -> Any:
        found = parse(text, content_id)
        if content_id[0] == "ansible.builtin":
            parsed[text.encode() if isinstance(text, str) else text] = found
        return found

    _collection_finder._meta_yml_to_dict = remember
    loaders = [each for _name, each in loader.get_all_plugin_loaders()]
    folders = [each.config for each in loaders]
    for each in loaders:
        each.config = []
    try:
        loader.init_plugin_loader()
        __import__("ansible_collections.ansible.builtin")
        for each in (
            loader.connection_loader,
            loader.shell_loader,
            loader.become_loader,
            loader.callback_loader,
            loader.strategy_loader,
            loader.cache_loader,
            loader.inventory_loader,
            loader.lookup_loader,
            loader.vars_loader,
            loader.action_loader,
        ):
            list(each.all(class_only=True))
        for each in (loader.filter_loader, loader.test_loader):
            list(each.all())
        _load_runners_definitions(prepared, loader.callback_loader, constants.DEFAULT_CALLBACK_PLUGIN_PATH)
        _rehearse()
        for each in loaders:
            for path, module in each._module_cache.items():
                prepared.modules[module.__name__, path] = module
                kind = get_plugin_class(each.class_name)
                name = module.__name__.rpartition(".")[2]
                if kind in constants.CONFIGURABLE_PLUGINS:
                    prepared.definitions[kind, path] = constants.config._plugins.get(kind, {}).get(name)
    finally:
        for each, folder in zip(loaders, folders, strict=True):
            each.config = folder
        _collection_finder._meta_yml_to_dict = parse
    prepared.routing |= parsed


def _load_runners_definitions(prepared: Prepared, callbacks: Any, folders: list[str]) -> None:
    """Load the options of ansible-runner's callback.

    Not the callback itself: it changes how everything after it is printed.
    """
    for folder in folders:
        path = Path(folder).absolute() / "awx_display.py"
        if path.is_file():
            for each in ast.parse(path.read_bytes()).body:
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "DOCUMENTATION":
                    documented = ModuleType(path.stem)
                    vars(documented)["DOCUMENTATION"] = ast.literal_eval(each.value)
                    callbacks._load_config_defs(path.stem, documented, str(path))
                    prepared.definitions["callback", str(path)] = constants.config._plugins["callback"].get(path.stem)


def _rehearse() -> None:
    """Do what each play begins with, to fill the caches of re, abc, inspect and Jinja; the results are thrown away."""
    PlaybookCLI(["ansible-playbook"]).init_parser()
    with PrivateFolder("warm") as folder:
        for name, text in _REHEARSED.items():
            (folder / name).write_text(text, encoding="utf-8")
        files = DataLoader()
        for name in ("hosts.ini", "hosts.yml"):
            inventory = InventoryManager(loader=files, sources=[str(folder / name)])
        variables = VariableManager(loader=files, inventory=inventory)
        for play in Playbook.load(str(folder / "play.yml"), variables, files).get_plays():
            for block in play.compile():
                for task in block.block:
                    known = variables.get_vars(play=play, host=inventory.get_hosts()[0], task=task)
                    _template(files, known, task)


def _template(files: Any, variables: dict[str, Any], task: Any) -> None:
    templar = TemplateEngine(loader=files, variables=variables)
    templar.template(task.name)
    task.copy().post_validate(templar)


_REHEARSED = {
    "hosts.ini": "[web]\nweb-1 size=1\n[web:vars]\na=b\n",
    "hosts.yml": "{web: {hosts: {web-1: {size: 1}}}}\n",
    "play.yml": "- hosts: web\n  gather_facts: false\n  tasks:\n"
    "    - {name: 'Size {{ size | default(2) }}', ansible.builtin.debug: {msg: '{{ size }}'}, when: size is defined}\n"
    "    - {name: A command, ansible.builtin.command: 'true', register: done}\n",
}


def _forget(prepared: Prepared, imported: frozenset[str]) -> None:
    """Leave Ansible as it is after its import."""
    for name in [each for each in sys.modules if each not in imported]:
        package = hasattr(sys.modules[name], "__path__")
        if name.startswith("ansible_collections") or (name.startswith(_STORED) and not package):
            del sys.modules[name]
    sparing, constants.OLD_PLUGIN_CACHE_CLEARING = constants.OLD_PLUGIN_CACHE_CLEARING, False
    for _name, each in loader.get_all_plugin_loaders():
        each._clear_caches()
    constants.OLD_PLUGIN_CACHE_CLEARING = sparing
    constants.config._plugins.clear()
    loader._PLUGIN_FILTERS.clear()
    _collection_finder._AnsibleCollectionFinder._remove()
    AnsibleCollectionConfig.on_collection_load -= loader._on_collection_load_handler
    display = Display()
    for said in (display._warns, display._deprecations, display._errors):
        said.clear()
