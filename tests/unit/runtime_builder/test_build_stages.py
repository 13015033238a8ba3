"""Stages and the variables that each part of a Dockerfile sees."""

import pytest

from runtime.builder import stages
from runtime.builder.dockerfile import DockerfileFault, parse
from runtime.builder.scopes import Scope, platform_args
from runtime.errors import RuntimeFault

TEXT = b"""ARG V=1
FROM debian:$V AS One
ARG V
ARG W=w$V
ENV W=env
FROM one
ARG V=3 X=x$V
"""


@pytest.fixture
def recipe():
    return stages.read(parse(TEXT))


def outermost(recipe, **given):
    scope = Scope.outermost("\\", given, platform_args("linux/arm/v7", "linux/amd64"))
    for arg in recipe.globals:
        scope = scope.declared(arg)
    return scope


def test_stages_have_names_and_numbers(recipe):
    assert [stage.name for stage in recipe.stages] == ["one", "1"]
    assert recipe.stage("ONE") is recipe.stage("0") is recipe.stages[0]
    assert recipe.stage("") is recipe.stages[1]
    with pytest.raises(RuntimeFault, match="no stage 'two'") as caught:
        recipe.stage("two")
    assert "one, 1" in caught.value.hint


def test_a_base_is_looked_for_above_only(recipe):
    assert recipe.named("one", before=0) is None
    assert recipe.named("one", before=1) is recipe.stages[0]
    assert recipe.named("0", before=1) is None


def test_the_image_sees_the_global_arguments(recipe):
    origin = recipe.stages[0].origin
    assert outermost(recipe).word(origin, origin.image) == "debian:1"
    assert outermost(recipe, V="2").word(origin, origin.image) == "debian:2"


def test_a_stage_declares_what_it_takes_and_env_wins(recipe):
    scope = outermost(recipe).stage({})
    assert scope.variables == {}
    bare, default, env = recipe.stages[0].steps
    scope = scope.declared(bare)
    assert scope.variables == {"V": "1"}
    assert scope.declared(default).variables["W"] == "w1"
    assert scope.assigned(env).declared(default).variables["W"] == "env"


def test_a_default_of_the_stage_beats_the_global_one_but_not_the_given(recipe):
    (several,) = recipe.stages[1].steps
    assert outermost(recipe).stage({}).declared(several).args == {"V": "3", "X": "x3"}
    assert outermost(recipe, V="9").stage({}).declared(several).args == {"V": "9", "X": "x9"}


def test_platform_arguments_need_a_declaration_in_stages(recipe):
    scope = outermost(recipe)
    assert (scope.args["TARGETVARIANT"], scope.args["BUILDPLATFORM"]) == ("v7", "linux/amd64")
    assert "TARGETOS" not in scope.stage({}).variables


def test_proxies_are_seen_undeclared_and_change_no_result(recipe):
    scope = outermost(recipe, http_proxy="http://p").stage({})
    assert scope.variables == {"http_proxy": "http://p"}
    assert scope.keyed_environment == {}


def test_values_of_one_env_do_not_see_one_another():
    recipe = stages.read(parse(b"FROM a\nENV A=1\nENV A=2 B=$A\n"))
    scope = outermost(recipe).stage({})
    for step in recipe.stages[0].steps:
        scope = scope.assigned(step)
    assert scope.env == {"A": "2", "B": "1"}


def test_what_a_target_needs_comes_first():
    assert stages.needed({0: set(), 1: {0}, 2: {0}, 3: {1}}, 3) == [0, 1, 3]
    with pytest.raises(ValueError, match="circle"):
        stages.needed({0: {1}, 1: {0}}, 1)


@pytest.mark.parametrize(("text", "reason"), [("RUN x\nFROM a", "RUN needs a stage"), ("ARG x", "no FROM")])
def test_what_has_no_stage_is_refused(text, reason):
    with pytest.raises(DockerfileFault, match=reason):
        stages.read(parse(text.encode()))
