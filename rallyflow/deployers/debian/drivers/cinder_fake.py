"""Cinder's fake driver, which also makes volumes from images and images from volumes: the stock one fails there."""

import io

from cinder.tests import fake_driver

_CONTENT = b"\0" * 4096


class RallyflowFakeDriver(fake_driver.FakeLoggingVolumeDriver):
    """Everything but the storage is real."""

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        """Say that the volume has the image's content now; nothing is copied."""
        return {}, True

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        """Read the image, as a real driver does, and forget it."""
        image_service.download(context, image_id, io.BytesIO())

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        """Upload an image of a few bytes."""
        image_service.update(context, image_meta["id"], {}, io.BytesIO(_CONTENT))

    def extend_volume(self, volume, new_size):
        """Nothing is to be made longer."""

    def manage_existing_get_size(self, volume, existing_ref):
        """Every volume that is there already has one gigabyte."""
        return 1

    def manage_existing(self, volume, existing_ref):
        """Take it as it is."""
        return {}
