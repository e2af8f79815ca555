#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: policy
short_description: Make a Windows PC ready for KNX ETS6, or say what is missing
version_added: 1.0.0
description:
  - Reads firewall, proxy and network of a PC in one remote execution, judges them on the controller, and has what fails changed in a second one.
  - Gives a finding for every control, each with its status, its reason and its evidence.
options:
  state:
    type: str
    choices: [present, absent]
    default: present
    description:
      - 'Whether the PC is to be ready for ETS6, or as it was before: V(absent) removes own rules, and puts the proxy back where nobody changed it since.'
  programs:
    type: list
    elements: str
    default: [ETS6N.exe, ETS6C.exe]
    description:
      - File names of ETS6's programs. KNX names these two; an older build's main program was C(ETS6.exe).
      - Example, C(['ETS6N.exe', 'ETS6C.exe', 'ETS6.exe']).
  paths:
    type: list
    elements: str
    default: ['%ProgramFiles(x86)%\ETS6', '%ProgramFiles%\ETS6']
    description:
      - Folders in which the programs are looked for. Environment strings are expanded on the PC; a leading V(*:\\) stands for every fixed drive.
      - Where a firewall rule names one of the programs, that place is looked at too.
      - 'Example, V([''%ProgramFiles(x86\)%\\ETS6'', ''*:\\KNX\\ETS6'']).'
  profiles:
    type: list
    elements: str
    choices: [domain, private, public]
    default: [domain, private]
    description:
      - Network profiles for which ETS6 may receive. On a building site a notebook is often V(public).
  remote_addresses:
    type: list
    elements: str
    default: []
    description:
      - 'Who may reach ETS6: addresses, prefixes, ranges or V(LocalSubnet). Empty means everybody.'
      - Example, C(['LocalSubnet', '10.20.0.0/16']).
  outbound:
    type: str
    choices: [auto, always, never]
    default: auto
    description:
      - 'Whether outbound allow rules are made: V(auto) only where without one the default would block.'
      - A rule that blocks wins over every allow rule, so none is made against it. It is a finding that names the rule; see O(blocks).
  blocks:
    type: str
    choices: [prompt, all, none]
    default: prompt
    description:
      - 'Which blocking rules are removed: V(prompt) those that the firewall''s prompt left, V(all) also those made on purpose, V(none) neither.'
  multicast_answers:
    type: str
    choices: [unmanaged, allow]
    default: unmanaged
    description:
      - 'Whether Windows lets unicast answers to a multicast through, which the discovery of KNXnet/IP devices needs: V(allow) sets it.'
      - What was there before is not kept, and C(ets6_network_state=absent) leaves it as it is.
  proxy:
    type: dict
    description:
      - The proxy of the PC. V(unmanaged) leaves it as it is.
      - 'Example, C({mode: named, server: ''proxy.example.com:3128'', bypass: [''<local>'', ''*.example.com''], scope: users}).'
    suboptions:
      mode:
        type: str
        choices: [unmanaged, direct, named, pac, autodetect]
        default: unmanaged
        description: V(direct) for none, V(named) for O(proxy.server), V(pac) for a script, V(autodetect) for WPAD.
      server:
        type: str
        description: C(host:port), or C(http=host:port;https=host:port). A login in it is refused, since ETS6 cannot use one.
      bypass:
        type: list
        elements: str
        description: Who is reached without the proxy, such as C(*.example.com), C(intranet:8080) or C(<local>).
      pac_url:
        type: str
        description: Address of the script, http or https.
      scope:
        type: str
        choices: [machine, users]
        default: machine
        description: V(machine) for all users of the PC by C(ProxySettingsPerUser), V(users) for each user's own settings and those to come.
      replace_malformed:
        type: bool
        default: false
        description: Whether settings whose layout cannot be read are written over. Removal puts the old bytes back.
    default:
      mode: unmanaged
  endpoints:
    type: dict
    default: {}
    description:
      - Servers that ETS6 must reach, by name, merged over the vendor's table.
      - 'The vendor''s names are C(updates), C(app_updates), C(app_updates_http), C(cloud_licensing), C(administrative_data) and C(online_catalog).'
      - The address of the news page is not published; give it as an own entry if it matters.
      - 'Example, C({cloud_licensing: {enabled: false}, news: {url: ''http://news.example.com''}}).'
  probe_as:
    type: str
    default: connection
    choices:
      - connection
      - user
    description:
      - As whom a proxy that wants a login is asked. V(connection) has none to give, so whether the proxy takes the login of the PC's user is not proven.
      - With V(user), where such a user is logged on, a scheduled task in the user's session asks once more, and Windows hands the user's own login to
        the proxy, as it does for ETS6. The user may see a window for a moment.
  probe_timeout:
    type: int
    default: 10
    description:
      - Seconds for all probes of a PC together, from 1 to 60.
      - Where a script decides on the proxy, each round of questions has them anew, since one answer leads to the next.
      - Example, V(20) where PCs are far away.
  public_roots:
    type: str
    default: ''
    description:
      - A PEM file on the controller with the roots that count as public. Without it those of the Python package certifi, which are Mozilla's.
      - For an own server with an own root, it holds that root beside the public ones.
      - Example, C(/etc/ssl/certs/ca-certificates.crt), which must not hold the root of a TLS inspection.
  controls:
    type: list
    elements: dict
    default: []
    description:
      - 'Own controls in JMESPath over what was found on the PC and over the findings: C(id), C(title), C(severity), C(expression) and C(message); and where
        wanted C(rationale), C(remedy), C(applies_if), C(require) (paths that must exist), C(evidence) and C(samples), which test the control itself.'
      - A control passes where its expression is true and fails where it is false; anything else leaves it unknown.
      - The collection's C(docs/custom-controls.md) has ten examples.
  waivers:
    type: list
    elements: dict
    default: []
    description:
      - 'Exceptions: C(control), C(hosts) or C(groups), C(reason), C(owner) and C(expires); where there is one, C(ticket).'
      - C(expires) is the last day (UTC) on which it holds, such as V(2027-03-31).
      - C(control) is a control's id or a list of ids, in which C(*) matches any characters; what follows from such a control is covered, too.
      - A waived control is still judged and shown as waived, and what would mend it is left alone; on the day after it fails again.
      - 'Example, C([{control: firewall.deliberate_blocks, groups: [meeting_rooms], reason: ''Not ours.'', owner: jane, expires: ''2027-03-31''}]).'
  image:
    type: dict
    default: {}
    description:
      - A Windows image that is judged in place of a PC, as M(ets6.network.windows_image) takes it. What cannot be known of an image is C(not_applicable).
    suboptions:
      path:
        type: path
        description: The image, on the machine on which the task runs.
      index:
        type: str
        description: Number or name of the image in a WIM or ESD that holds several.
  apply:
    type: bool
    default: true
    description:
      - Whether anything may be changed. With V(false) what fails is reported as failed.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would be changed, without a change.
  diff_mode:
    support: full
    description: Returns what has changed, or would be, rule by rule and field by field.
  platform:
    support: full
    platforms: windows
    description: Where it acts.
  action:
    support: full
    description: Runs on the controller.
author:
  - ets6.network contributors (@ets6)
seealso:
  - module: ets6.network.report
  - module: ets6.network.windows_host
"""

EXAMPLES = r"""
- name: Make the PC ready for ETS6
  ets6.network.policy:
    profiles: [domain, private, public]
    proxy:
      mode: named
      server: proxy.example.com:3128
      bypass: ['<local>', '*.example.com']
  register: ets6_network_result

- name: Only judge
  ets6.network.policy:
    apply: false
    endpoints:
      cloud_licensing:
        enabled: false
"""

RETURN = r"""
run:
  description: What tells this run from others of the same C(ansible-playbook); empty outside of the collection's playbooks.
  returned: when the PC could be read
  type: str
findings:
  description: A finding for each control, in the controls' order.
  returned: when the PC could be read
  type: list
  elements: dict
  sample:
    - control: firewall.prompt_blocks
      status: fixed
      reason: No rule of the prompt blocks ETS6.
      evidence: {}
      changed: true
controls:
  description: The controls, each with C(id), C(title), C(severity), C(rationale) and C(remedy).
  returned: when the PC could be read
  type: list
  elements: dict
"""
