"""Nova's fake driver, whose snapshots are real images: the stock one uploads nothing, and they stay queued."""

import io

from nova.image import glance
from nova.virt import fake

_CONTENT = b"\0" * 4096


class RallyflowFakeDriver(fake.FakeDriver):
    """Everything but the hypervisor is real."""

    def init_host(self, host):
        """Name the hypervisor like its host: the stock one has another name for a host that is called `compute`."""
        super().init_host(host)
        self._set_nodes([host])

    def snapshot(self, context, instance, image_id, update_task_state):
        """Upload an image of a few bytes."""
        super().snapshot(context, instance, image_id, update_task_state)
        api = glance.API()
        image = api.get(context, image_id)
        metadata = {
            "name": image.get("name"),
            "disk_format": "raw",
            "container_format": "bare",
            "properties": {"instance_uuid": instance.uuid},
        }
        api.update(context, image_id, metadata, io.BytesIO(_CONTENT))
