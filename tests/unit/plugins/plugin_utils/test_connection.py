# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What a connection lacks, asked of Ansible's own connection plugins with their options set."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible_collections.ets6.network.plugins.plugin_utils import connection as module

LOGIN = {"ansible_user": "hans", "ansible_password": "secret"}
NTLM = {"ansible_winrm_transport": "ntlm"}
EVERYTHING = frozenset(
    {
        "winrm",
        "requests_ntlm",
        "requests_credssp",
        "kerberos",
        "pypsrp",
        "gssapi",
        "krb5",
        "ssh",
        "sshpass",
    }
)


def problems(
    name: str,
    variables: dict[str, Any],
    lacks: tuple[str, ...] = (),
    templates: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    **keywords: Any,
) -> list[str]:
    """Return the problems of a connection with these variables, on a controller that has everything but what it lacks."""
    there = EVERYTHING.difference(lacks)
    controller = module.Controller(
        there.__contains__,
        there.__contains__,
        environment or {},
        "/usr/bin/python3",
        module.CONTROLLER.winrm_transports,
    )
    plugin = connection_loader.get(name, PlayContext(), None)
    extras = {key: value for key, value in variables.items() if key.startswith("ansible_winrm_")}
    plugin.set_options(task_keys=keywords, var_options={**variables, "_extras": extras})
    return module.problems(plugin, templates or variables, controller)


@pytest.mark.parametrize(
    ("name", "variables", "lacks"),
    [
        ("winrm", {**LOGIN, **NTLM}, ("pypsrp", "kerberos", "requests_credssp", "ssh", "sshpass")),
        (
            "ansible.builtin.winrm",
            {**LOGIN, "ansible_winrm_transport": "basic"},
            ("requests_ntlm",),
        ),
        ("winrm", LOGIN, ("requests_ntlm", "kerberos")),
        ("winrm", {"ansible_winrm_user": "hans", "ansible_winrm_password": "x", **NTLM}, ()),
        (
            "winrm",
            {"ansible_user": "", "ansible_winrm_user": "hans", "ansible_winrm_pass": "x", **NTLM},
            (),
        ),
        ("winrm", {"ansible_winrm_transport": "kerberos"}, ()),
        (
            "winrm",
            {
                "ansible_winrm_transport": "kerberos",
                "ansible_winrm_kinit_mode": "manual",
                "ansible_password": "x",
            },
            (),
        ),
        ("winrm", {**LOGIN, "ansible_winrm_transport": "kerberos,ntlm"}, ("kerberos",)),
        ("winrm", {"ansible_winrm_transport": ["ntlm", "kerberos"]}, ()),
        ("winrm", {"ansible_user": "hans@EXAMPLE.COM"}, ()),
        (
            "winrm",
            {
                "ansible_winrm_transport": "certificate",
                "ansible_winrm_cert_pem": "a",
                "ansible_winrm_cert_key_pem": "b",
            },
            (),
        ),
        (
            "winrm",
            {**LOGIN, "ansible_winrm_transport": "basic", "ansible_winrm_scheme": "http"},
            (),
        ),
        ("winrm", {**LOGIN, **NTLM, "ansible_winrm_message_encryption": "always"}, ()),
        ("psrp", LOGIN, ("winrm", "gssapi", "krb5")),
        ("psrp", {}, ()),
        ("psrp", {"ansible_psrp_auth": "kerberos"}, ()),
        ("psrp", {**LOGIN, "ansible_psrp_auth": "basic"}, ()),
        (
            "psrp",
            {
                **LOGIN,
                "ansible_psrp_auth": "basic",
                "ansible_port": 5985,
                "ansible_psrp_message_encryption": "never",
            },
            (),
        ),
        (
            "psrp",
            {
                "ansible_psrp_auth": "certificate",
                "ansible_psrp_certificate_pem": "a",
                "ansible_psrp_certificate_key_pem": "b",
            },
            (),
        ),
        ("ssh", {}, ("sshpass",)),
        ("ssh", {"ansible_user": ""}, ("sshpass",)),
        (
            "ssh",
            {"ansible_password": "x", "ansible_ssh_password_mechanism": "ssh_askpass"},
            ("sshpass",),
        ),
        ("ssh", {"ansible_ssh_password_mechanism": "sshpass"}, ("sshpass",)),
        ("local", {}, tuple(EVERYTHING)),
    ],
)
def test_what_may_work_is_never_refused(
    name: str, variables: dict[str, Any], lacks: tuple[str, ...]
) -> None:
    assert problems(name, variables, lacks) == []


@pytest.mark.parametrize(
    ("name", "variables", "lacks", "said"),
    [
        ("winrm", {}, ("winrm",), "The Python package pywinrm is missing on the controller, which the connection winrm needs. "
         "Run there: /usr/bin/python3 -m pip install 'pywinrm'"),
        ("winrm", {**LOGIN, **NTLM}, ("requests_ntlm",), "The Python package requests-ntlm is missing"),
        ("winrm", {**LOGIN, "ansible_winrm_transport": "credssp"}, ("requests_credssp",), "The Python package pywinrm[credssp] is"),
        ("winrm", {"ansible_winrm_transport": "kerberos"}, ("kerberos",), "The Python package pywinrm[kerberos] is missing"),
        ("winrm", {"ansible_user": "hans@EXAMPLE.COM"}, ("kerberos",), "The Python package pywinrm[kerberos] is missing"),
        ("winrm", {**LOGIN, "ansible_winrm_transport": "ntml"}, (), "ansible_winrm_transport: 'ntml' is not accepted. Set one of basic,"),
        ("winrm", {**LOGIN, "ansible_winrm_transport": ["ntlm", "x"]}, (), "ansible_winrm_transport: 'x' is not accepted"),
        ("winrm", {**LOGIN, "ansible_winrm_transport": "basic", "ansible_winrm_message_encryption": "always"}, (),
         "ansible_winrm_message_encryption: always is not possible for winrm with the transport basic. Use the transport ntlm"),
        ("winrm", {"ansible_winrm_transport": "certificate", "ansible_winrm_cert_pem": "a"}, (),
         "winrm with the transport certificate needs a certificate and its key. Set ansible_winrm_cert_pem and ansible_winrm_cert_key_pem."),
        ("winrm", {"ansible_winrm_cert_pem": "a"}, (), "winrm with the transport ssl needs a certificate and its key."),
        ("winrm", {"ansible_winrm_transport": "certificate", "ansible_winrm_cert_pem": "a", "ansible_winrm_cert_key_pem": "b",
                   "ansible_port": 5985}, (), "winrm with the transport certificate needs HTTPS. Set ansible_winrm_scheme to https."),
        ("winrm", {**NTLM, "ansible_password": "x"}, (), "ansible_user is not set. Set ansible_user in the inventory, or run with -u."),
        ("winrm", {**NTLM, "ansible_user": "hans"}, (),
         "ansible_password is not set. Set ansible_password in the inventory, or run with --ask-pass."),
        ("winrm", {**NTLM, "ansible_user": "hans", "ansible_winrm_password": ""}, (),
         "ansible_winrm_password is empty. Give ansible_winrm_password a value."),
        ("winrm", {"ansible_winrm_transport": "kerberos", "ansible_password": "x"}, (), "ansible_user is not set."),
        ("psrp", LOGIN, ("pypsrp",), "The Python package pypsrp is missing on the controller"),
        ("psrp", {}, ("gssapi",), "ansible_user is not set and ansible_password is not set."),
        ("psrp", {"ansible_psrp_auth": "ntlm", "ansible_psrp_user": ""}, (), "ansible_psrp_user is empty and ansible_password is not set."),
        ("psrp", {"ansible_psrp_auth": "kerberos"}, ("krb5",), "The Python package pypsrp[kerberos] is missing"),
        ("psrp", {**LOGIN, "ansible_psrp_auth": "credssp"}, ("requests_credssp",), "The Python package pypsrp[credssp] is missing"),
        ("psrp", {**LOGIN, "ansible_psrp_auth": "basic", "ansible_port": 5985}, (), "ansible_psrp_message_encryption: auto is not possible"),
        ("psrp", {**LOGIN, "ansible_psrp_auth": "basic", "ansible_psrp_message_encryption": "always"}, (),
         "ansible_psrp_message_encryption: always is not possible for psrp with the authentication basic."),
        ("psrp", {"ansible_psrp_auth": "certificate"}, (), "psrp with the authentication certificate needs a certificate and its key."),
        ("psrp", {"ansible_psrp_auth": "certificate", "ansible_psrp_certificate_pem": "a", "ansible_psrp_certificate_key_pem": "b",
                  "ansible_psrp_protocol": "http"}, (), "psrp with the authentication certificate needs HTTPS."),
        ("ssh", {}, ("ssh",), "The program ssh is missing on the controller, which the connection ssh needs."),
        ("ssh", {"ansible_password": "x", "ansible_ssh_password_mechanism": "sshpass"}, ("sshpass",), "The program sshpass is missing"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_with_what_to_do(
    name: str, variables: dict[str, Any], lacks: tuple[str, ...], said: str
) -> None:
    assert [one[: len(said)] for one in problems(name, variables, lacks)] == [said]


def test_a_login_of_the_command_line_counts() -> None:
    assert problems("winrm", NTLM, remote_user="hans", password="x") == []
    assert problems("psrp", {}, ("gssapi",), remote_user="hans", password="x") == []


def test_a_file_of_ntlm_accounts_may_hold_the_login_of_psrp() -> None:
    assert problems("psrp", {}, ("gssapi",), environment={"NTLM_USER_FILE": "/x"}) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ lookup('ansible.builtin.env', 'MY_USER') }}",
        '{{ lookup("env", "MY_USER") | trim }}',
        "{{ query('env', 'MY_USER') | first }}",
    ],
)
def test_the_environment_variable_is_named_that_an_empty_user_was_read_from(template: str) -> None:
    given = {**NTLM, "ansible_user": "", "ansible_password": "secret"}
    said = problems("winrm", given, templates={**given, "ansible_user": template})
    assert said == [
        "ansible_user is empty. Set the environment variable MY_USER, which ansible_user is read from."
    ]
    # Where it is set, it is something else in the template that makes it empty.
    said = problems(
        "winrm", given, templates={**given, "ansible_user": template}, environment={"MY_USER": "x"}
    )
    assert said == ["ansible_user is empty. Give ansible_user a value."]


def test_no_password_is_ever_said() -> None:
    told = problems(
        "winrm", {**NTLM, "ansible_user": "", "ansible_password": "hunter2"}, ("requests_ntlm",)
    )
    assert len(told) == 2
    assert "hunter2" not in " ".join(told)


def test_this_controller_has_what_it_runs_with() -> None:
    assert module.CONTROLLER.has_package("winrm")
    assert not module.CONTROLLER.has_package("no_such_package")
    assert not module.CONTROLLER.has_program("no-such-program")
    assert "ntlm" in module.CONTROLLER.winrm_transports()
