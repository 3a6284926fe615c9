"""What the services stand on: MariaDB, RabbitMQ and memcached, on the first controller."""

from __future__ import annotations

import base64
import hashlib
import json

from rallyflow.deployers.debian.agent.plan import Command, Daemon, File, Folder, Ready, Wait
from rallyflow.deployers.debian.ini import Options, lines, merge
from rallyflow.deployers.debian.layout import Placed
from rallyflow.deployers.debian.site import Parts, Site, data

_MARIADB, _RABBIT, _DEFINITIONS = (
    f"/etc/rallyflow/{name}" for name in ("mariadb.cnf", "rabbitmq.conf", "rabbitmq-definitions.json")
)
SOCKET = "/run/mysqld/mysqld.sock"


def infrastructure(site: Site, server: Placed) -> Parts:
    """Return the parts of a controller; those after the first one wait for what is there."""
    if site.is_first(server):
        return _mariadb(site) + _rabbitmq(site) + _memcached(site)
    return Parts(
        ("python3-pymysql",),
        units=(Wait("rabbitmq", "databases", (), _lets_in(site)), Wait("memcached", "databases", (), _keeps(site))),
    )


def _lets_in(site: Site) -> Ready:
    return Ready("amqp", f"{site.host}:5672", "openstack", site.passwords.users["rabbit"])


def _keeps(site: Site) -> Ready:
    return Ready("memcached", site.memcached)


def _mariadb(site: Site) -> Parts:
    """The database, on a folder of its own. Its buffers go to the disk once a second: it is a cloud to measure."""
    options: Options = {
        "mysqld": {
            "user": "mysql",
            "datadir": data("mariadb"),
            "socket": SOCKET,
            "pid-file": "/run/mysqld/rallyflow.pid",
            "bind-address": site.host,
            "skip-name-resolve": True,
            "skip-log-bin": True,
            "innodb_flush_log_at_trx_commit": 2,
            "innodb_buffer_pool_size": "256M",
            "innodb_log_file_size": "48M",
            "max_connections": 1000,
            "character-set-server": "utf8mb3",
            "collation-server": "utf8mb3_general_ci",
        }
    }
    login = "--skip-test-db --auth-root-authentication-method=socket"
    install = f"mysql_install_db --user=mysql --datadir={data('mariadb')} {login}"
    prepare = Command(
        "mariadb-files",
        "databases",
        (),
        ("/bin/sh", "-c", f"rm -rf {data('mariadb')}/* && {install}"),
        stamp="1",
    )
    daemon = Daemon(
        "mariadb",
        "databases",
        ("mariadb-files",),
        ("/usr/sbin/mariadbd", f"--defaults-file={_MARIADB}"),
        "mysql",
        reads=(_MARIADB,),
        ready=Ready("mysql", SOCKET),
    )
    return Parts(
        ("mariadb-server", "python3-pymysql"),
        (Folder(data("mariadb"), "mysql", 0o700), Folder("/run/mysqld", "mysql")),
        (File(_MARIADB, site.options("mariadb", options)),),
        (prepare, daemon),
    )


def _rabbitmq(site: Site) -> Parts:
    """The message queue. It reads its user from a file when it starts, which saves two starts of its command line."""
    options: Options = {"": {"load_definitions": _DEFINITIONS, "disk_free_limit.absolute": "50MB"}}
    content = lines(merge(options, {"": site.config.get("rabbitmq", {}).get("DEFAULT", {})})[""])
    env = {
        "HOME": "/var/lib/rabbitmq",
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": site.host,
        "RABBITMQ_CONFIG_FILE": _RABBIT,
        "RABBITMQ_MNESIA_BASE": data("rabbitmq"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{data('rabbitmq')}/enabled_plugins",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    daemon = Daemon(
        "rabbitmq",
        "databases",
        (),
        ("/usr/lib/rabbitmq/bin/rabbitmq-server",),
        "rabbitmq",
        env,
        (_RABBIT, _DEFINITIONS),
        _lets_in(site),
    )
    return Parts(
        ("rabbitmq-server",),
        (Folder(data("rabbitmq"), "rabbitmq", 0o700), Folder("/run/rabbitmq", "rabbitmq")),
        (File(_RABBIT, content), File(_DEFINITIONS, _definitions(site), "rabbitmq", 0o640)),
        (daemon,),
    )


def _definitions(site: Site) -> str:
    """Return the user of the services as RabbitMQ exports users: with a salted hash instead of the password."""
    salt = bytes.fromhex(site.passwords.salt)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + site.passwords.users["rabbit"].encode()).digest())
    user = {
        "name": "openstack",
        "password_hash": hashed.decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "",
    }
    rights = {"user": "openstack", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps({"users": [user], "vhosts": [{"name": "/"}], "permissions": [rights]}, indent=1) + "\n"


def _memcached(site: Site) -> Parts:
    daemon = Daemon(
        "memcached",
        "databases",
        (),
        ("/usr/bin/memcached", "-l", site.memcached.partition(":")[0], "-m", "64", "-c", "4096"),
        "memcache",
        ready=_keeps(site),
    )
    return Parts(("memcached",), units=(daemon,))
