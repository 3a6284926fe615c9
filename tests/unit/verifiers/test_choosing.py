"""What tests boot, of what a cloud has; what is made where something is missing is tested with a workspace."""

from __future__ import annotations

import pytest

from rallyflow.errors import NotFound
from rallyflow.model.values import Cloud
from rallyflow.verifiers.tempest.choosing import choose
from rallyflow.verifiers.tempest.facts import Facts, Flavor, Image
from rallyflow.verifiers.tempest.inputs import TempestInputs

BIG = Image("big", "big", 700_000_000, public=True)
SMALL = Image("small", "small", 20_000_000, public=True)
SNAPSHOT = Image("snapshot", "of a volume", 0, public=True)
OURS = Image("ours", "ours", 1000, public=False, owner="p0")
THEIRS = Image("theirs", "theirs", 10, public=False, owner="p1")
TINY = Flavor("tiny", "tiny", 64, disk=1)
LESS = Flavor("less", "less", 512, disk=5)
MORE = Flavor("more", "more", 2048, disk=20)
DISKLESS = Flavor("diskless", "diskless", 32, disk=0)


@pytest.fixture
def chosen(tmp_path):
    def choice(images=(BIG, SMALL), flavors=(TINY, LESS, MORE), **more):
        facts = Facts(
            "http://cloud/v3",
            "RegionOne",
            project="p0",
            services=frozenset({"image", "compute"}),
            images=images,
            flavors=flavors,
        )
        cloud = Cloud(name="c", kind="existing", clouds_yaml=tmp_path / "clouds.yaml", auth_url="http://cloud/v3")
        return choose(facts, TempestInputs(cloud=cloud, **{"create": False, **more}), None, "rf-")

    return choice


def images(refs):
    return refs.image, refs.image_alt


def flavors(refs):
    return refs.flavor, refs.flavor_alt


def test_images_that_belong_to_a_project_alone_are_not_chosen(chosen):
    everything = (SNAPSHOT, THEIRS, OURS, BIG, SMALL)
    assert images(chosen(everything)) == ("small", "big")
    assert images(chosen((THEIRS, OURS))) == ("", "")


def test_without_a_domain_of_tempests_own_the_images_of_our_project_come_after_the_public_ones(chosen):
    assert images(chosen((THEIRS, OURS, SMALL), isolate=False)) == ("small", "ours")
    assert images(chosen((THEIRS, OURS), isolate=False)) == ("ours", "ours")


def test_an_image_that_is_named_may_be_anybodys(chosen):
    assert images(chosen((THEIRS, SMALL), image="theirs")) == ("theirs", "small")
    with pytest.raises(NotFound, match="no image 'none'"):
        chosen(image="none")


def test_an_image_whose_size_nobody_knows_comes_last(chosen):
    assert images(chosen((SNAPSHOT, BIG))) == ("big", "snapshot")


def test_flavors_have_a_disk_if_any_has_one(chosen):
    assert flavors(chosen(flavors=(DISKLESS, MORE, LESS))) == ("less", "more")
    assert flavors(chosen(flavors=(DISKLESS,))) == ("diskless", "diskless")


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ({}, ("tiny", "less")),
        ({"min_ram": 65}, ("less", "more")),
        ({"min_disk": 5}, ("less", "more")),
        ({"min_disk": 6, "min_ram": 100}, ("more", "tiny")),
        ({"min_disk": 100}, ("tiny", "less")),
    ],
)
def test_flavors_are_the_least_that_both_images_fit_in(chosen, needs, expected):
    assert flavors(chosen((SMALL, Image("i", "i", 30_000_000, **needs)))) == expected


def test_a_flavor_that_is_named_is_taken_whatever_the_images_need(chosen):
    assert flavors(chosen((Image("i", "i", 1000, min_disk=20),), flavor="tiny")) == ("tiny", "more")


def test_what_only_the_second_place_is_named_for_is_in_the_second_place(chosen):
    assert flavors(chosen(flavor_alt="tiny")) == ("less", "tiny")
    assert flavors(chosen(flavor="more", flavor_alt="tiny")) == ("more", "tiny")
    assert images(chosen(image_alt="small")) == ("big", "small")
    assert images(chosen((THEIRS,), image_alt="theirs")) == ("theirs", "theirs")
