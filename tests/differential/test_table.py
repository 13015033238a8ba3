"""The page about the differential says what the tests hold to be true."""

import pytest

from tests.differential import package, table
from tests.differential.cases import cases
from tests.differential.explained import ROWS

pytestmark = pytest.mark.skipif(bool(package.MISSING), reason=package.MISSING)


def test_the_page_is_up_to_date():
    assert table.DOCUMENT.read_text() == table.document(), "run python -m tests.differential.table"


def test_every_dockerfile_of_the_package_has_a_build():
    files = {str(path.relative_to(package.ROOT)) for path in package.dockerfiles()}
    assert files == {case.file for case in cases() if not case.file.startswith("extra/")}


def test_every_difference_belongs_to_a_build():
    used = {name for case in cases() for name in (*case.differs, case.buildah_alone)}
    assert used - {""} == ROWS.keys() - {"mount places"}


def test_what_is_left_out_has_its_reason():
    assert [case.id for case in cases() if case.without and not case.reason] == []
