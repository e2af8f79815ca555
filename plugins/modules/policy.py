#!/usr/bin/python
# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: policy
short_description: Make a Windows PC ready for KNX ETS6, or report what is missing
version_added: 1.0.0
description:
  - Reads the firewall, proxy and network settings of a PC in one remote execution, judges them on the controller, and changes what fails in a second one.
    A proxy script, or a login that is tried as a user, takes further ones.
  - A host that is not a Windows PC, according to its connection, only probes the vendor's servers. With O(image) a Windows image is judged in place of a PC.
  - Returns a finding for every control, with status, reason and evidence.
options:
  state:
    type: str
    choices: [present, absent]
    default: present
    description:
      - 'V(present) makes the PC ready for ETS6. V(absent) removes managed rules, and restores the earlier proxy settings unless they were changed since.'
  programs:
    type: list
    elements: str
    default: [ETS6N.exe, ETS6C.exe]
    description:
      - File names of ETS6's programs. KNX documents these two; the main program of an older build was C(ETS6.exe).
      - For example C(['ETS6N.exe', 'ETS6C.exe', 'ETS6.exe']).
  paths:
    type: list
    elements: str
    default: ['%ProgramFiles(x86)%\ETS6', '%ProgramFiles%\ETS6']
    description:
      - Folders that are searched for the programs. Environment strings are expanded on the PC; a leading V(*:\\) is every fixed drive.
      - The paths of firewall rules that name one of the programs are searched too.
      - 'For example V([''%ProgramFiles(x86\)%\\ETS6'', ''*:\\KNX\\ETS6'']).'
  profiles:
    type: list
    elements: str
    choices: [domain, private, public]
    default: [domain, private]
    description:
      - Network profiles in which ETS6 may receive. The network of a building site is often V(public).
  remote_addresses:
    type: list
    elements: str
    default: []
    description:
      - 'Remote addresses that may reach ETS6: addresses, prefixes, ranges or V(LocalSubnet). An empty list is no restriction.'
      - For example C(['LocalSubnet', '10.20.0.0/16']).
  needed_traffic:
    type: list
    elements: dict
    default: []
    description:
      - 'Traffic that ETS6 needs beside the usual, for example a routing port of your own: what blocks it fails the controls of the firewall. The usual is
        KNXnet/IP (UDP and TCP port 3671), answers of devices (UDP ports 49152 to 65535), KNX IoT (UDP port 5683), mDNS (UDP port 5353), and the vendor''s
        servers (TCP ports 80 and 443).'
      - 'For example C([{name: own routing, direction: in, protocol: udp, ports: [3672]}]).'
    suboptions:
      name:
        type: str
        required: true
        description: Name for texts and evidence, up to 40 letters, digits, blanks, C(-) and C(_).
      direction:
        type: str
        required: true
        choices: [in, out]
        description: V(in) to ports of the PC, V(out) to ports of the other end.
      protocol:
        type: str
        required: true
        choices: [tcp, udp]
        description: Protocol of the traffic.
      ports:
        type: list
        elements: str
        required: true
        description: Ports or ranges, such as V(3672) or V(3671-3680).
      addresses:
        type: list
        elements: str
        description: Addresses, prefixes or ranges of the other end. The default is the private and link-local addresses.
  outbound:
    type: str
    choices: [auto, always, never]
    default: auto
    description:
      - 'Whether outbound allow rules are created. V(auto) creates one only where the default action would block the program.'
      - A blocking rule wins over every allow rule, so no allow rule is created against it. The finding names the blocking rule; see O(blocks).
  blocks:
    type: str
    choices: [prompt, all, none]
    default: prompt
    description:
      - 'Which blocking rules are removed. V(prompt) removes those that the prompt of Windows Defender Firewall left, V(all) also those
        that an administrator made, V(none) none.'
  multicast_answers:
    type: str
    choices: [unmanaged, allow]
    default: unmanaged
    description:
      - 'V(allow) makes Windows accept unicast answers to a multicast, which the discovery of KNXnet/IP devices needs.'
      - The earlier setting is not recorded, and O(state=absent) does not restore it.
  proxy:
    type: dict
    description:
      - The proxy of the PC. V(unmanaged) leaves it as it is.
      - 'For example C({mode: named, server: ''proxy.example.com:3128'', bypass: [''<local>'', ''*.example.com''], scope: users}).'
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
        description: Servers that are reached without the proxy, such as C(*.example.com), C(intranet:8080) or C(<local>).
      pac_url:
        type: str
        description: URL of the script, http or https.
      scope:
        type: str
        choices: [machine, users]
        default: machine
        description: V(machine) for all users of the PC by C(ProxySettingsPerUser), V(users) for the settings of each user, future users included.
      replace_malformed:
        type: bool
        default: false
        description: Whether settings whose layout cannot be read are overwritten. Removal restores the old bytes.
    default:
      mode: unmanaged
  endpoints:
    type: dict
    default: {}
    description:
      - Servers that ETS6 must reach, by name. They are merged with the vendor's table.
      - 'The vendor''s names are C(updates), C(app_updates), C(app_updates_http), C(cloud_licensing), C(administrative_data) and C(online_catalog).'
      - 'Two more servers of the vendor are used in a browser since ETS 6.3 and are off: C(knx_login) (id.knx.org) and C(my_knx) (my.knx.org).'
      - 'C({my_knx: {enabled: true}}) switches one on.'
      - The vendor does not publish the address of the news page; add an entry for it where it matters.
      - 'For example C({cloud_licensing: {enabled: false}, news: {url: ''http://news.example.com''}}).'
  probe_as:
    type: str
    default: connection
    choices:
      - connection
      - user
    description:
      - The account with which a proxy that asks for a login is tried. V(connection) has no login to give, so it cannot prove that the
        proxy accepts the login of the PC's user.
      - With V(user), a scheduled task in the session of a logged-on user asks again, and Windows hands that user's own login to
        the proxy, as it does for ETS6. The user may see a window for a moment.
  probe_timeout:
    type: int
    default: 10
    description:
      - Seconds for all probes of a PC together, from 1 to 60.
      - Where a proxy script decides, each round of probes has this time, since one answer leads to the next.
      - For example V(20) for PCs behind slow links.
  public_roots:
    type: str
    default: ''
    description:
      - A PEM file on the controller with the root certificates that are considered public. The default is the list of the Python package
        certifi, which is Mozilla's.
      - For a server with a private root, add that root to the public ones.
      - For example C(/etc/ssl/certs/ca-certificates.crt), which must not contain the root of a TLS inspection.
  controls:
    type: list
    elements: dict
    default: []
    description:
      - Custom controls in JMESPath over the data of the PC and over the findings.
      - A control passes if its expression is true and fails if it is false. Any other value leaves it unknown.
      - The collection's C(docs/custom-controls.md) has ten examples.
    suboptions:
      id:
        type: str
        required: true
        description: Lower-case letters, digits, C(_) and C(.). The report has the control as C(custom.) and this id.
      title:
        type: str
        required: true
        description: What is true when the control passes, as a sentence.
      severity:
        type: str
        required: true
        choices: [high, medium, low]
        description: How much it matters when the control fails.
      expression:
        type: str
        required: true
        description: V(true) passes and V(false) fails. Any other value leaves the control unknown.
      message:
        type: str
        required: true
        description: What the report says when the control fails.
      require:
        type: list
        elements: str
        description: Paths that must exist; where one does not, the control is unknown.
      applies_if:
        type: str
        description: An expression; where it is false, the control is not applicable.
      evidence:
        type: str
        description: An expression whose value is the evidence in the report.
      samples:
        type: list
        elements: dict
        description: Data and the status that is expected of it. They test the control before any PC is touched.
        suboptions:
          data:
            type: dict
            required: true
            description: The data of a PC, as an expression sees it.
          expect:
            type: str
            required: true
            choices: [pass, fail, unknown, not_applicable]
            description: The status that the control must have.
      rationale:
        type: str
        description: Why it matters.
      remedy:
        type: str
        description: What to do when the control fails.
      contact:
        type: str
        choices: [enforce, firewall, proxy, network, group_policy, pc, user, vendor, controller]
        default: pc
        description: Who does it.
  waivers:
    type: list
    elements: dict
    default: []
    description:
      - Controls that may fail on some hosts until a day.
      - A waived control is still judged and shown as waived, and its remedy is not applied. On the day after, it fails again.
      - 'For example C([{control: firewall.deliberate_blocks, groups: [meeting_rooms], reason: ''Not ours.'', owner: jane, expires: ''2027-03-31''}]).'
    suboptions:
      control:
        type: raw
        required: true
        description: A control's id or a list of ids, in which C(*) matches any characters. Findings that such a control causes are covered too.
      hosts:
        type: list
        elements: str
        description: Hosts that the waiver is for.
      groups:
        type: list
        elements: str
        description: Groups that the waiver is for. V(all) is every host. At least one of C(hosts) and C(groups) is required.
      reason:
        type: str
        required: true
        description: Why the control may fail.
      owner:
        type: str
        required: true
        description: Who answers for the waiver.
      expires:
        type: str
        required: true
        description: The last day (UTC) on which the waiver is valid, such as V(2027-03-31).
      ticket:
        type: str
        description: Number or address of a ticket.
  image:
    type: dict
    default: {}
    description:
      - A Windows image to judge instead of a PC, as M(ets6.network.windows_image) takes it. Controls that an image cannot answer are C(not_applicable).
    suboptions:
      path:
        type: path
        description: Path of the image on the host that runs the task.
      index:
        type: str
        description: Number or name of the image in a WIM or ESD file that contains several.
      programs:
        type: list
        elements: str
        default: []
        description: Windows paths of programs that count as installed, though the image does not hold them.
  report_dir:
    type: path
    default: ''
    description:
      - The directory of the report. Before a change is sent, it is noted there in the file C(changes.jsonl), which the report's task removes.
        Where it cannot be noted, nothing is changed. Nothing is noted without this option.
  apply:
    type: bool
    default: true
    description:
      - Whether PCs may be changed. With V(false) a control that fails is reported as failed.
attributes:
  check_mode:
    support: full
    description: Can run in check mode and return what would be changed, without a change.
  diff_mode:
    support: full
    description: Returns what has changed, or would be, rule by rule and field by field.
  platform:
    support: full
    platforms: windows, posix
    description: The hosts that it acts on. POSIX hosts only probe, or hold the image.
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
  description: Id of the run, which distinguishes it from others of the same C(ansible-playbook); empty outside of the collection's playbooks.
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
      reason: >-
        Rule 'ETS 6' (TCP Query User..., local rules) keeps ETS6N.exe from receiving in private. Now: No prompt of Windows left a rule that blocks ETS6 in
        domain and private.
      evidence: {}
      changed: true
at:
  description: The time of the judgement, in UTC.
  returned: when the PC could be read
  type: str
  sample: '2026-11-28T21:54:24Z'
waivers:
  description: The waivers of the policy.
  returned: when the PC could be read
  type: list
  elements: dict
facts:
  description: What the PC is. The collection's C(docs/reports.md) lists the keys.
  returned: when the PC could be read
  type: dict
variables:
  description: The arguments of the task, without secrets.
  returned: when the PC could be read
  type: dict
controls:
  description:
    - The controls that the default policy does not have, such as custom controls and those of endpoints that were added.
    - Each has C(id), C(title), C(headline), C(severity), C(rationale) and C(remedy).
  returned: when the PC could be read
  type: list
  elements: dict
"""
