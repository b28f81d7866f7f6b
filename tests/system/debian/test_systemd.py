# SPDX-License-Identifier: MIT OR Apache-2.0
"""The unit under the real systemd: the commands of docs/systemd.md, one after the other, as they are
there. The machine is the small Debian, booted."""

import re

import pytest

from small_system import ROOT, Machine

GUIDE = (ROOT / "docs/systemd.md").read_text(encoding="utf-8")
FILE = "/etc/snekomatic/snekomatic.toml"
AS_BOT = "sudo -u snekomatic snekomatic"


def commands(heading):
    """The commands of a section of the guide."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", GUIDE, re.S | re.M)[1]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.S))


@pytest.fixture(scope="module")
def machine(installed):
    booted = Machine()
    yield booted
    booted.stop()


@pytest.fixture(scope="module")
def service(machine):
    """The machine once the guide's commands were run, up to the running service."""
    machine.run("openssl genrsa -out app.private-key.pem 2048; openssl rand -hex 32 > webhook-secret")
    machine.run(commands("The user and the configuration"))
    machine.run(commands("An App that exists"))
    # There is no GitHub in the machine.
    machine.run(f"sed -i '/app_id/a api_url = \"http://127.0.0.1:1\"' {FILE}")
    output = machine.run(commands("The service"))
    assert "all is well" in output and "Active: active (running)" in output and "status\":\"queued" in output
    assert re.search(r"^\S+Z +[0-9a-f-]{36} +ping ", output, re.M)
    return machine


def log(service):
    return service.run("journalctl -u snekomatic --output=cat --no-pager")


def test_the_sandbox_is_full_inside_of_the_unit_s_restrictions(service):
    assert re.search(r"msg=worker_started plugin=ping .* sandbox=full", log(service))


def test_nobody_else_can_read_configuration_credentials_and_store(service):
    output = service.run("for file in /etc/snekomatic /var/lib/snekomatic /run/snekomatic; do "
                         "sudo -u nobody ls $file 2>&1 || true; done")
    assert output.count("Permission denied") == 3


def test_the_service_cannot_write_its_configuration_or_see_other_processes(service):
    host = service.run("pgrep -f 'snekomatic-host [h]ost'").strip()
    output = service.run(
        f"nsenter -t {host} -m setpriv --reuid snekomatic --regid snekomatic --clear-groups "
        f"bash -c 'echo x >> {FILE} || true; ls -d /proc/1 || true; echo \"processes: $(ls /proc |"
        " grep -c ^[0-9])\"' 2>&1")
    assert "Read-only file system" in output and "cannot access '/proc/1'" in output


def test_daily_work_and_a_verb_that_writes_to_the_store(service):
    output = service.run(commands("Daily work"))
    assert "plugin ping 1.0" in output
    service.run(f"cd / && {AS_BOT} plugins pause ping && {AS_BOT} plugins resume ping")
    # The store still belongs to the service: it takes the next webhook.
    assert "queued" in service.run(f"{AS_BOT} send -c {FILE} ping - < ping.json || true; "
                                   f"echo '{{}}' | {AS_BOT} send -c {FILE} ping -")
    assert log(service).count("msg=reloaded") == 1


def test_a_host_and_a_worker_that_die_are_replaced(service):
    service.run("pkill -KILL -f 'snekomatic-[w]orker: ping'; pkill -KILL -f 'snekomatic-host [h]ost'; "
                "until journalctl -u snekomatic --output=cat | grep msg=host_restarted; do sleep 0.1; done")
    assert "queued" in service.run(f"echo '{{}}' | {AS_BOT} send -c {FILE} ping -")
    assert service.run("systemctl show --property=NRestarts --value snekomatic") == "0\n"


def test_a_wrong_configuration_stops_the_reload_and_the_start_with_its_reason(service):
    service.run(f"cp {FILE} right.toml; echo 'lisen = 1' >> {FILE}")
    assert "failed" in service.run("systemctl reload snekomatic || echo failed")
    assert "msg=reload_rejected" in log(service)
    service.run("systemctl restart snekomatic || true")
    assert service.run("systemctl show --property=ExecMainStatus,ActiveState snekomatic") == (
        "ExecMainStatus=78\nActiveState=failed\n")
    service.run(f"cat right.toml > {FILE}; systemctl start snekomatic; systemctl stop snekomatic")
    assert "ExecMainStatus=0" in service.run("systemctl show --property=ExecMainStatus snekomatic")
