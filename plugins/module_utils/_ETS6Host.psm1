# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# What windows_host does on a PC: change, read and probe as it is asked. It decides nothing. No C#, nothing that a virus scanner
# could take for an attack. Windows PowerShell 5.1 and PowerShell 7. It is sent each time, so it is short.

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

# Compares keys as the registry does: [ordered]@{} takes names that merely sort alike for one.
Function New-ETS6Map {
  [Collections.Specialized.OrderedDictionary]::new([StringComparer]::OrdinalIgnoreCase)
}

$script:Mounts = @{}
$script:Folders = New-ETS6Map
$script:Options = 'registry', 'user_registry', 'files', 'named_files', 'probes', 'probe_timeout', 'operations'
$script:UserSid = '^S-1-(5-21|12-1)-[0-9-]+$'
$script:ProfileList = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList'
$script:LocalRules = 'HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules'
$script:WinHttpKeys = @(
  'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
  'HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
)
$script:Kinds = @{
  REG_SZ = 'String'; REG_EXPAND_SZ = 'ExpandString'; REG_MULTI_SZ = 'MultiString'; REG_DWORD = 'DWord'; REG_QWORD = 'QWord'
  REG_BINARY = 'Binary'; REG_NONE = 'None'
}

# Runs a program and gives its exit code. What it prints is in the PC's language, and of no use.
Function Invoke-ETS6Program {
  param ([string]$Name, [string[]]$Words)

  $program = Get-Command -Name $Name
  # 5.1 makes error records of what a program writes to a redirected error stream.
  $ErrorActionPreference = 'SilentlyContinue'
  $null = & $program @Words 2>&1
  $LASTEXITCODE
}

#region JSON and compression

# Writes JSON in ASCII. ConvertTo-Json is slow in 5.1, limited in depth, and has other forms for arrays there.
Function ConvertTo-AnsibleETS6Json {
  [OutputType([string])]
  param ([Parameter(Mandatory)][AllowNull()][AllowEmptyString()][AllowEmptyCollection()][object]$InputObject)

  if ($null -eq $InputObject) { return 'null' }
  if ($InputObject -is [string]) {
    $safe = $InputObject.Replace('\', '\\').Replace('"', '\"')
    if ($safe -match '[^\x20-\x7e]') { $safe = [regex]::Replace($safe, '[^\x20-\x7e]', { param ($found) '\u{0:x4}' -f [int][char]$found.Value }) }
    return '"' + $safe + '"'
  }
  if ($InputObject -is [bool]) { return $InputObject.ToString().ToLowerInvariant() }
  if ($InputObject -is [Collections.IDictionary]) {
    # Not .Keys: of a dictionary that has such a key, PowerShell gives its value.
    $parts = @(foreach ($entry in $InputObject.GetEnumerator()) {
        (ConvertTo-AnsibleETS6Json -InputObject ([string]$entry.Key)) + ':' + (ConvertTo-AnsibleETS6Json -InputObject $entry.Value)
      })
    return '{' + ($parts -join ',') + '}'
  }
  if ($InputObject -is [Collections.IEnumerable]) {
    $parts = @(foreach ($item in $InputObject) { ConvertTo-AnsibleETS6Json -InputObject $item })
    return '[' + ($parts -join ',') + ']'
  }
  [string]$InputObject
}

Function Compress-ETS6Text {
  param ([string]$Text)

  $bytes = [Text.Encoding]::ASCII.GetBytes($Text)
  $packed = [IO.MemoryStream]::new()
  $gzip = [IO.Compression.GZipStream]::new($packed, [IO.Compression.CompressionMode]::Compress)
  $gzip.Write($bytes, 0, $bytes.Length)
  $gzip.Dispose()
  [Convert]::ToBase64String($packed.ToArray())
}

#endregion
#region Registry

# Opens HKLM\... or HKU\<sid>\... in the 64-bit view; gives nothing where it is missing, throws where it is denied.
Function Open-ETS6Key {
  param ([string]$Path, [switch]$Write, [switch]$Create)

  $root, $below = $Path.TrimEnd('\') -split '\\', 2
  $hive = switch ($root) { 'HKLM' { 'LocalMachine' } 'HKU' { 'Users' } default { throw "${Path}: only HKLM and HKU are known" } }
  $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, 'Registry64')
  try {
    if ($root -eq 'HKU' -and $below) {
      $sid, $below = $below -split '\\', 2
      # Of a hive that goes while it is read (its user logs off), no key is missing: it cannot be read.
      $user = $base.OpenSubKey((Mount-ETS6Hive -Sid $sid), [bool]$Write)
      if ($null -eq $user) { throw "the hive of $sid is no longer loaded" }
      $base.Dispose()
      $base = $user
    }
    if (-not $below) { return $base }
    if ($Create) { $base.CreateSubKey($below) }
    else { $base.OpenSubKey($below, [bool]$Write) }
  }
  finally { if ($below) { $base.Dispose() } }
}

# Turns a value of .NET into [type, data], numbers unsigned, bytes as base64. A REG_DWORD of another length than 4 is no int.
Function ConvertFrom-ETS6Value {
  param ([string]$Kind, [AllowNull()][object]$Data)

  if ($Data -is [string]) { return , @($(if ($Kind -eq 'ExpandString') { 'REG_EXPAND_SZ' } else { 'REG_SZ' }), $Data) }
  if ($Data -is [int]) { return , @('REG_DWORD', [BitConverter]::ToUInt32([BitConverter]::GetBytes($Data), 0)) }
  if ($Data -is [long]) { return , @('REG_QWORD', [BitConverter]::ToUInt64([BitConverter]::GetBytes($Data), 0)) }
  if ($Data -is [string[]]) { return , @('REG_MULTI_SZ', $Data) }
  $type = switch ($Kind) { 'Binary' { 'REG_BINARY' } 'None' { 'REG_NONE' } default { 'REG_UNKNOWN' } }
  , @($type, $(if ($Data -is [byte[]]) { [Convert]::ToBase64String($Data) } else { '' }))
}

# Reads a key and, down to a depth, those below it, into the dictionary: present, missing and unreadable are three things.
Function Read-ETS6Key {
  param ([Collections.IDictionary]$Into, [string]$Path, [int]$Depth)

  try {
    $key = Open-ETS6Key -Path $Path
    if ($null -eq $key) {
      $Into[$Path] = @{ state = 'missing' }
      return
    }
    try {
      $values = New-ETS6Map
      foreach ($name in $key.GetValueNames()) {
        $data = $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
        $values[$name] = ConvertFrom-ETS6Value -Kind $key.GetValueKind($name).ToString() -Data $data
      }
      $below = @($key.GetSubKeyNames())
    }
    finally { $key.Dispose() }
    $Into[$Path] = @{ state = 'present'; values = $values; keys = $below }
  }
  catch {
    $Into[$Path] = @{ state = 'unreadable'; error = $_.Exception.GetBaseException().Message }
    return
  }
  if ($Depth -gt 0) {
    foreach ($name in $below) { Read-ETS6Key -Into $Into -Path "$Path\$name" -Depth ($Depth - 1) }
  }
}

#endregion
#region Users and their hives

# Gives SID and profile folder of everybody who could run ETS6, and of the default profile. A folder that cannot be read is null.
Function Get-ETS6Profile {
  if ($script:Folders.Count) { return $script:Folders }
  $list = New-ETS6Map
  Read-ETS6Key -Into $list -Path $script:ProfileList -Depth 1
  $top = $list[$script:ProfileList]
  if ($top.state -ne 'present') { throw "$($script:ProfileList) is $($top.state)" }
  $list["$($script:ProfileList)\default"] = $top
  foreach ($sid in @($top['keys'] -match $script:UserSid) + 'default') {
    $entry = $list["$($script:ProfileList)\$sid"]
    $name = if ($sid -eq 'default') { 'Default' } else { 'ProfileImagePath' }
    if ($entry.state -ne 'present') { $script:Folders[$sid] = $null }
    elseif ($entry['values'].Contains($name)) { $script:Folders[$sid] = [Environment]::ExpandEnvironmentVariables($entry['values'][$name][1]) }
  }
  $script:Folders
}

# Gives the name of a user's hive below HKEY_USERS, and loads it where it is not: Dismount-ETS6Hive has to follow.
Function Mount-ETS6Hive {
  param ([string]$Sid)

  if ($script:Mounts.ContainsKey($Sid)) { return $script:Mounts[$Sid] }
  $users = Open-ETS6Key -Path HKU
  $known = @($users.GetSubKeyNames())
  $users.Dispose()
  if ($known -contains $Sid) { return $Sid }
  $folders = Get-ETS6Profile
  if (-not $folders.Contains($Sid)) { throw "${Sid}: there is no such profile" }
  if ($null -eq $folders[$Sid]) { throw "${Sid}: where its profile is cannot be read" }
  # A run that was killed in the middle leaves its hives loaded, and their users could not log on with them.
  foreach ($name in $known -match '^ETS6-\d+-') {
    $owner = Get-Process -Id ($name -split '-')[1] -ErrorAction SilentlyContinue
    if ($null -eq $owner -or $owner.Id -eq $PID -or $owner.ProcessName -notmatch '^(powershell|pwsh|wsmprovhost)$') {
      if ($script:Mounts.ContainsValue($name)) { continue }
      $null = Invoke-ETS6Program -Name reg.exe -Words unload, "HKU\$name"
    }
  }
  $file = "$($folders[$Sid])\NTUSER.DAT"
  # RegLoadKey makes a file that is not there.
  $null = Get-Item -LiteralPath $file -Force
  $name = "ETS6-$PID-$Sid"
  $code = Invoke-ETS6Program -Name reg.exe -Words load, "HKU\$name", $file
  if ($code -ne 0) { throw "reg load of $file ended with exit code $code" }
  $script:Mounts[$Sid] = $name
  $name
}

# Unloads what Mount-ETS6Hive loaded. Gives a sentence for each hive that stays.
Function Dismount-ETS6Hive {
  foreach ($name in @($script:Mounts.GetEnumerator() | ForEach-Object { $_.Value })) {
    for ($try = 1; $try -le 5; $try++) {
      $code = Invoke-ETS6Program -Name reg.exe -Words unload, "HKU\$name"
      if ($code -eq 0) { break }
      # A key that waits for the garbage collector holds the hive, and a virus scanner may for a moment.
      [GC]::Collect()
      [GC]::WaitForPendingFinalizers()
      Start-Sleep -Milliseconds (100 * $try)
    }
    if ($code -ne 0) { "HKU\$name stays loaded, since reg unload ended with exit code ${code}: its user cannot log on with it until the PC starts anew" }
  }
  $script:Mounts.Clear()
}

# Gives the SIDs of who is logged on: the owner of a process in each session, explorer.exe first. A kiosk and a RemoteApp have none.
Function Get-ETS6LoggedOnUser {
  $system = 'csrss.exe', 'winlogon.exe', 'dwm.exe', 'fontdrvhost.exe', 'LogonUI.exe'
  $owners = @{}
  $processes = Get-CimInstance -ClassName Win32_Process -Filter 'SessionId<>0' -OperationTimeoutSec 20
  foreach ($process in $processes | Sort-Object -Property { $_.Name -ne 'explorer.exe' }, ProcessId) {
    if ($system -contains $process.Name -or $owners.ContainsKey($process.SessionId)) { continue }
    try { $sid = (Invoke-CimMethod -InputObject $process -MethodName GetOwnerSid -OperationTimeoutSec 20).Sid }
    catch { continue } # it has ended in between
    if ($sid -match $script:UserSid) { $owners[$process.SessionId] = $sid }
  }
  $owners.GetEnumerator() | ForEach-Object { $_.Value }
}

# Lists who could run ETS6, and reads the asked keys of each hive into the registry. A hive is loaded for the reading only.
Function Get-ETS6User {
  param ([Collections.IDictionary]$Registry, [object[]]$Keys)

  $folders = Get-ETS6Profile
  $loggedOn = @(Get-ETS6LoggedOnUser)
  , @(foreach ($entry in $folders.GetEnumerator()) {
      $sid, $folder = $entry.Key, [string]$entry.Value
      $user = @{ sid = $sid; name = ''; profile = $folder; hive = 'unavailable'; logged_on = $loggedOn -contains $sid; error = '' }
      if ($sid -ne 'default') { $user.name = ($folder -split '\\')[-1] }
      try {
        if (-not $Keys) { throw 'no key of it was asked for' }
        $user.hive = if ((Mount-ETS6Hive -Sid $sid) -eq $sid) { 'loaded' } else { 'file' }
        foreach ($key in $Keys) { Read-ETS6Key -Into $Registry -Path "HKU\$sid\$($key.path)" -Depth $key.depth }
      }
      catch [Management.Automation.ItemNotFoundException], [Management.Automation.DriveNotFoundException] {
        $user.hive = 'missing'
        $user.error = $_.Exception.GetBaseException().Message
      }
      catch { $user.error = $_.Exception.GetBaseException().Message }
      finally {
        $stays = Dismount-ETS6Hive
        if ($stays) { $user.error = $stays }
      }
      $user
    })
}

#endregion
#region What is on the PC

Function Get-ETS6Host {
  $windows = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
  $found = New-ETS6Map
  Read-ETS6Key -Into $found -Path $windows -Depth 0
  $values = $found[$windows]['values']
  $build = if ($null -ne $values -and $values.Contains('CurrentBuildNumber')) { $values['CurrentBuildNumber'][1] } else { '' }
  @{
    name = [string]$env:COMPUTERNAME
    os = "10.0.$build"
    powershell = $PSVersionTable.PSVersion.ToString()
    time = [DateTime]::UtcNow.ToString('s') + 'Z'
  }
}

Function Get-ETS6Environment {
  $paths = '^((Common)?ProgramFiles(\(x86\))?|ProgramW6432|ProgramData|SystemRoot|SystemDrive|windir|PUBLIC|ALLUSERSPROFILE)$'
  $found = New-ETS6Map
  foreach ($entry in [Environment]::GetEnvironmentVariables().GetEnumerator()) {
    # Only what paths need, and whether a proxy is named: its login is nobody's business.
    if ($entry.Key -match $paths) { $found[$entry.Key] = [string]$entry.Value }
    elseif ($entry.Key -match '^(HTTP|HTTPS|ALL|NO)_PROXY$') { $found[$entry.Key] = 'set' }
  }
  $found
}

# Gives the first bytes of a file, from which the controller tells a 32-bit program; nothing where it cannot be read.
Function Read-ETS6Head {
  param ([object]$Item)

  $bytes = [byte[]]::new(1024)
  try {
    $stream = $Item.OpenRead()
    try { [Convert]::ToBase64String($bytes, 0, $stream.Read($bytes, 0, $bytes.Length)) }
    finally { $stream.Dispose() }
  }
  catch { '' }
}

# Looks files up: those asked for, and those that a registry value names.
Function Get-ETS6File {
  param ([object[]]$Paths, [object[]]$Names, [Collections.IDictionary]$Registry)

  $wanted = [Collections.Generic.List[string]]::new()
  foreach ($path in $Paths) {
    if ($path.StartsWith('*:\')) {
      foreach ($drive in Get-CimInstance -ClassName Win32_LogicalDisk -Filter 'DriveType=3' -OperationTimeoutSec 20) {
        $wanted.Add($drive.DeviceID + $path.Substring(2))
      }
    }
    else { $wanted.Add([Environment]::ExpandEnvironmentVariables($path)) }
  }
  if ($Names) {
    $pattern = '(?:^|[=|"])([^=|"]*\\(?:' + (@($Names | ForEach-Object { [regex]::Escape($_) }) -join '|') + '))(?=$|[|"])'
    $named = [regex]::new($pattern, [Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')
    foreach ($read in $Registry.GetEnumerator()) {
      if ($read.Value.state -ne 'present') { continue }
      foreach ($entry in $read.Value['values'].GetEnumerator()) {
        if ($entry.Value[1] -isnot [string]) { continue }
        foreach ($found in $named.Matches($entry.Value[1])) {
          $path = [Environment]::ExpandEnvironmentVariables($found.Groups[1].Value)
          # Whoever could name another PC here would have this one log on there.
          if ($path -match '^[A-Za-z]:\\') { $wanted.Add($path) }
        }
      }
    }
  }
  $seen = [Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
  , @(foreach ($path in $wanted) {
      if (-not $seen.Add($path)) { continue }
      $file = @{ path = $path; state = 'missing'; version = ''; size = 0; error = ''; head = '' }
      try {
        $item = Get-Item -LiteralPath $path -Force
        if (-not $item.PSIsContainer) {
          $version = $item.VersionInfo
          $file.version = $version.FileMajorPart, $version.FileMinorPart, $version.FileBuildPart, $version.FilePrivatePart -join '.'
          $file.size = $item.Length
          $file.state = 'present'
          $file.head = Read-ETS6Head -Item $item
        }
      }
      catch [Management.Automation.ItemNotFoundException], [Management.Automation.DriveNotFoundException], [ArgumentException], [NotSupportedException] {
        # The last two: no file can have such a name.
        $file.state = 'missing'
      }
      catch {
        $file.state = 'unreadable'
        $file.error = $_.Exception.GetBaseException().Message
      }
      $file
    })
}

Function Get-ETS6Network {
  $types = (New-Object -ComObject HNetCfg.FwPolicy2).CurrentProfileTypes
  , @(foreach ($one in @(1, 'domain'), @(2, 'private'), @(4, 'public')) { if ($types -band $one[0]) { $one[1] } })
}

# Gives the PC's own addresses: an empty name is the PC itself.
Function Get-ETS6Address {
  , @([Net.Dns]::GetHostAddressesAsync('').GetAwaiter().GetResult() | ForEach-Object { $_.ToString() })
}

Function Get-ETS6Service {
  $found = @{}
  foreach ($service in Get-Service -Name MpsSvc, BFE -ErrorAction SilentlyContinue) { $found[$service.Name] = $service.Status.ToString() }
  $found
}

# Lists the firewalls registered with Windows Security Center, which Windows Server does not have.
Function Get-ETS6FirewallProduct {
  try { $products = @(Get-CimInstance -Namespace root/SecurityCenter2 -ClassName FirewallProduct -OperationTimeoutSec 20) }
  catch {
    if ($_.FullyQualifiedErrorId -like 'HRESULT 0x8004100e*') { return , @() }
    throw
  }
  , @(foreach ($product in $products) {
      # Bits 12 to 15 of productState: 1 on, 0 off. They are not documented; anything else is not decoded.
      $state = ([long]$product.productState -shr 12) -band 15
      @{ name = [string]$product.displayName; enabled = $(if ($state -eq 1) { $true } elseif ($state -eq 0) { $false } else { $null }) }
    })
}

# Reads everything that is asked for. Where a part fails it is null, and the reason stands in errors.
Function Get-ETS6Snapshot {
  param ([Collections.IDictionary]$Asked)

  $registry = New-ETS6Map
  $snapshot = [ordered]@{ version = 1; offline = $false; registry = $registry; errors = @{} }
  foreach ($key in $Asked.registry) { Read-ETS6Key -Into $registry -Path $key.path -Depth $key.depth }
  $parts = [ordered]@{
    host = { Get-ETS6Host }
    environment = { Get-ETS6Environment }
    users = { Get-ETS6User -Registry $registry -Keys $Asked.user_registry }
    files = { Get-ETS6File -Paths $Asked.files -Names $Asked.named_files -Registry $registry }
    network = { Get-ETS6Network }
    addresses = { Get-ETS6Address }
    services = { Get-ETS6Service }
    firewall_products = { Get-ETS6FirewallProduct }
    probes = { Invoke-ETS6Probe -Probes (Resolve-ETS6Way -Probes $Asked.probes -Snapshot $snapshot) -Seconds $Asked.probe_timeout }
  }
  foreach ($part in $parts.GetEnumerator()) {
    $snapshot[$part.Key] = $null
    try { $snapshot[$part.Key] = & $part.Value }
    catch { $snapshot.errors[$part.Key] = $_.Exception.GetBaseException().Message }
  }
  if ($null -eq $snapshot.files) { $snapshot.files = @() }
  $snapshot
}

#endregion
#region Ways out

Function Get-ETS6ProxySetting {
  param ([Collections.IDictionary]$Registry, [string]$Path)

  $key = $Registry["$Path\Connections"]
  if (-not $key -or $key.state -ne 'present' -or -not $key['values'].Contains('DefaultConnectionSettings')) { return @{ flags = 0; proxy = ''; bypass = '' } }
  $blob = [Convert]::FromBase64String($key['values']['DefaultConnectionSettings'][1])
  $ansi = [Text.Encoding]::GetEncoding(28591)
  $flags = [BitConverter]::ToUInt32($blob, 8)
  $length = [BitConverter]::ToInt32($blob, 12)
  $proxy = $ansi.GetString($blob, 16, $length)
  $bypass = $ansi.GetString($blob, 20 + $length, [BitConverter]::ToInt32($blob, 16 + $length))
  @{ flags = $flags; proxy = $proxy; bypass = $bypass }
}

# Gives every probe the ways out that the PC's users have for it. That saves an execution: the controller asks again where one is
# missing.
Function Resolve-ETS6Way {
  param ([object[]]$Probes, [Collections.IDictionary]$Snapshot)

  $registry = $Snapshot.registry
  $below = 'Software\Microsoft\Windows\CurrentVersion\Internet Settings'
  $policy = $registry['HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings']
  $machine = $policy -and $policy.state -eq 'present' -and $policy['values'].Contains('ProxySettingsPerUser') -and $policy['values']['ProxySettingsPerUser'][1] -eq 0
  $readable = @($Snapshot.users | Where-Object { $null -ne $_ -and $_.hive -in 'loaded', 'file' })
  $people = @($readable | Where-Object { $_.sid -ne 'default' })
  $here = @($people | Where-Object { $_.logged_on })
  $chosen = if ($here) { $here } elseif ($people) { $people } else { $readable }
  $paths = if ($machine) { @("HKLM\$below") } else { @($chosen | ForEach-Object { "HKU\$($_.sid)\$below" }) }
  $settings = @(foreach ($path in $paths) {
      try { Get-ETS6ProxySetting -Registry $registry -Path $path }
      catch { continue }
    })
  , @(foreach ($probe in $Probes) {
      $probe = @{ name = $probe.name; url = $probe.url; address = $probe['address']; ways = $probe['ways']; max_body = $probe['max_body'] }
      if ($null -eq $probe.ways) {
        $uri = [Uri]$probe.url
        $probe.ways = @(foreach ($setting in $settings) {
            if ($setting.flags -band 4) { continue }
            if (-not ($setting.flags -band 2)) { ''; continue }
            try { Select-ETS6Proxy -Setting $setting -Uri $uri }
            catch { continue }
          }) | Select-Object -Unique
      }
      $probe
    })
}

# Gives the proxy for a URL, or nothing, as .NET Framework reads both lists.
Function Select-ETS6Proxy {
  param ([Collections.IDictionary]$Setting, [Uri]$Uri)

  $server = "$($Uri.Scheme)://$($Uri.Host)$(if (-not $Uri.IsDefaultPort) { ":$($Uri.Port)" })"
  foreach ($entry in $Setting.bypass.Split(';').Trim()) {
    if ($entry -eq '<local>') {
      if ($Uri.Host -notmatch '[.:]') { return '' }
      continue
    }
    if (-not $entry) { continue }
    $scheme, $name, $port = '', $entry, ''
    if ($entry -match '^(.*://)?([^:]*)(:\d{1,5})?$') { $scheme, $name, $port = $Matches[1], $Matches[2], $Matches[3] }
    $scheme = if ($scheme) { [regex]::Escape($scheme) } else { '(?:.*://)?' }
    $port = if ($port) { $port } else { '(?::\d{1,5})?' }
    if ($server -match ('^' + ($scheme + [regex]::Escape($name)).Replace('\*', '.*') + $port + '$')) { return '' }
  }
  $address = $Setting.proxy.Trim()
  if ($address.Contains('=')) {
    if ($address -notmatch "^(?:.*;)?\s*$($Uri.Scheme)\s*=\s*([^;]*)") { return '' }
    $address = $Matches[1]
  }
  if ($address -notmatch '://') { $address = "http://$address" }
  $proxy = [Uri]$address
  "$($proxy.Host):$($proxy.Port)"
}

#endregion
#region Probes

# One probe over one way, in a runspace of its own: plain synchronous calls. What it finds goes into $Found at once: the watchdog
# may close its sockets, and still reports how far it came.
$script:ProbeScript = {
  param ($Probe, $Found, $Until)

  $ErrorActionPreference = 'Stop'
  $agent = 'ets6.network-probe'
  $ansi = [Text.Encoding]::GetEncoding(28591)
  $clock = [Diagnostics.Stopwatch]::StartNew()
  $script:ends = $Until
  # Nothing ends a name service's work or the building of a chain: neither may keep the process from ending.
  [Threading.Thread]::CurrentThread.IsBackground = $true

  function Enter-Stage([string]$Name, [int]$Seconds) {
    $Found.stage = $Name
    $script:ends = [DateTime]::UtcNow.AddSeconds($Seconds)
    $clock.Restart()
  }

  function Get-Left {
    $left = [int][Math]::Min(($script:ends - [DateTime]::UtcNow).TotalMilliseconds, ($Until - [DateTime]::UtcNow).TotalMilliseconds)
    if ($left -lt 1) { throw [TimeoutException]::new('the time was over') }
    $left
  }

  function Save-Elapsed { $Found.elapsed[$Found.stage] = [int]$clock.ElapsedMilliseconds }

  function Read-Answer($Stream, [int]$Cap, [bool]$WithBody) {
    $raw = [IO.MemoryStream]::new()
    $buffer = [byte[]]::new(16384)
    $end = -1
    while ($end -lt 0) {
      if ($raw.Length -gt 16384) { throw 'the answer has too long a head' }
      $Stream.ReadTimeout = Get-Left
      $count = $Stream.Read($buffer, 0, $buffer.Length)
      if ($count -eq 0) { throw [IO.EndOfStreamException]::new('the connection was closed before an answer') }
      $raw.Write($buffer, 0, $count)
      $text = $ansi.GetString($raw.ToArray())
      # 1xx announces the answer.
      $start = [regex]::Match($text, '^(HTTP/\S+ 1\d\d[^\r]*(\r\n[^\r]+)*\r\n\r\n)*').Length
      $end = $text.IndexOf("`r`n`r`n", $start, [StringComparison]::Ordinal)
    }
    $lines = $text.Substring($start, $end - $start) -split "`r`n"
    if ($lines[0] -notmatch '^HTTP/\S+ (\d{3})(?: |$)') { throw 'the answer is not HTTP' }
    $status = [int]$Matches[1]
    $most = $Cap
    $chunked = $false
    $headers = @(foreach ($line in $lines | Select-Object -Skip 1) {
        $name, $value = ($line -split ':', 2).Trim()
        if ($null -eq $value) { continue }
        if ($name -eq 'Content-Length' -and $value -match '^\d{1,9}$') { $most = [Math]::Min($Cap, [int]$value) }
        if ($name -eq 'Transfer-Encoding' -and $value -eq 'chunked') { $chunked = $true }
        , @($name, $value)
      })
    if ($status -in 204, 304) { $most = 0 }
    $body = $end + 4
    while ($WithBody -and $raw.Length -lt $body + $most) {
      if ($chunked -and $raw.Length -ge $body + 5 -and $ansi.GetString($raw.ToArray(), [int]$raw.Length - 5, 5) -eq "0`r`n`r`n") { break }
      try {
        $Stream.ReadTimeout = Get-Left
        $count = $Stream.Read($buffer, 0, $buffer.Length)
      }
      catch { break } # what came so far is an answer
      if ($count -eq 0) { break }
      $raw.Write($buffer, 0, $count)
    }
    $size = [Math]::Min($most, [int]$raw.Length - $body)
    @{ status = $status; headers = $headers; body = [Convert]::ToBase64String($raw.ToArray(), $body, $size) }
  }

  try {
    $null = Get-Left
    $uri = [Uri]$Probe.url
    $secure = $uri.Scheme -eq 'https'
    $server = "$($uri.Host):$($uri.Port)"
    $target = @($Found.way, $Probe.address, $server) | Where-Object { $_ } | Select-Object -First 1
    $colon = $target.LastIndexOf(':')
    $name, $port = $target.Substring(0, $colon).Trim('[', ']'), [int]$target.Substring($colon + 1)

    Enter-Stage dns 8
    $wait = [Net.Dns]::GetHostAddressesAsync($name)
    while (-not $wait.Wait((Get-Left))) { continue }
    $addresses = $wait.Result
    $Found.addresses = @($addresses | ForEach-Object { $_.ToString() })
    Save-Elapsed

    # All addresses, each a moment after the one before it (RFC 8305): one that nobody answers at costs no more.
    Enter-Stage tcp 5
    $next = 0
    $open = [Collections.Generic.List[object]]::new()
    $client = $failure = $null
    while (-not $client) {
      $left = Get-Left
      if ($next -eq $addresses.Count -and -not $open.Count) { throw $failure }
      try {
        if ($next -lt $addresses.Count) {
          $address = $addresses[$next++]
          $Found.address = $address.ToString()
          # TcpClient without a family is IPv4 only.
          $try = @{ address = $Found.address; client = [Net.Sockets.TcpClient]::new($address.AddressFamily) }
          $Found.clients.Add($try.client)
          $try.wait = $try.client.BeginConnect($address, $port, $null, $null)
          $open.Add($try)
          if ($next -lt $addresses.Count) { $left = [Math]::Min($left, 250) }
        }
        $at = [Threading.WaitHandle]::WaitAny([Threading.WaitHandle[]]@($open | ForEach-Object { $_.wait.AsyncWaitHandle }), $left)
        if ($at -eq [Threading.WaitHandle]::WaitTimeout) { continue }
        $try = $open[$at]
        $open.RemoveAt($at)
        $try.client.EndConnect($try.wait)
        $client = $try.client
        $Found.address = $try.address
      }
      catch { $failure = $_ }
    }
    Save-Elapsed
    $Found.local = $client.Client.LocalEndPoint.Address.ToString()
    $client.NoDelay = $true
    $stream = $client.GetStream()
    $stream.WriteTimeout = 8000

    if ($Found.way -and $secure) {
      Enter-Stage connect 8
      $request = $ansi.GetBytes("CONNECT $server HTTP/1.1`r`nHost: $server`r`nUser-Agent: $agent`r`n`r`n")
      $stream.Write($request, 0, $request.Length)
      $answer = Read-Answer $stream 16384 $false
      $Found.connect = $answer
      Save-Elapsed
      if ($answer.status -lt 200 -or $answer.status -ge 300) {
        $Found.error = @{ kind = 'other'; code = $answer.status; text = "the proxy answered $($answer.status)" }
        return
      }
    }
    if ($secure) {
      Enter-Stage tls 8
      $seen = @{}
      # The callback runs in a synchronous handshake only: another one has no runspace for it.
      $callback = [Net.Security.RemoteCertificateValidationCallback] {
        param ($From, $Certificate, $Chain, $PolicyErrors)
        $null = $From
        $leaf = [Convert]::ToBase64String($Certificate.GetRawCertData())
        $others = @($Chain.ChainPolicy.ExtraStore | ForEach-Object { [Convert]::ToBase64String($_.RawData) })
        $seen.presented = @($leaf) + @($others | Where-Object { $_ -ne $leaf })
        $seen.built = @($Chain.ChainElements | ForEach-Object { [Convert]::ToBase64String($_.Certificate.RawData) })
        $seen.chain_status = @($Chain.ChainStatus | ForEach-Object { $_.Status.ToString() })
        $seen.policy_errors = @($PolicyErrors.ToString() -split ',\s*' | Where-Object { $_ -ne 'None' })
        $true
      }
      $secured = [Net.Security.SslStream]::new($stream, $false, $callback)
      $stream.ReadTimeout = Get-Left
      # None is the system's choice, and refused where that is off: there this is not SystemDefault (0), as on Server 2016.
      $protocols = if ([int][Net.ServicePointManager]::SecurityProtocol) { 'Tls12' } else { 'None' }
      $secured.AuthenticateAsClient($uri.DnsSafeHost, $null, [Security.Authentication.SslProtocols]$protocols, $false)
      $seen.protocol = $secured.SslProtocol.ToString()
      $Found.tls = $seen
      Save-Elapsed
      $stream = $secured
    }
    Enter-Stage http 8
    $path = if ($Found.way -and -not $secure) { "http://$server$($uri.PathAndQuery)" } else { $uri.PathAndQuery }
    $request = $ansi.GetBytes("GET $path HTTP/1.1`r`nHost: $($uri.Authority)`r`nUser-Agent: $agent`r`nAccept: */*`r`nConnection: close`r`n`r`n")
    $stream.Write($request, 0, $request.Length)
    $Found.http = Read-Answer $stream $(if ($Probe.max_body) { $Probe.max_body } else { 65536 }) $true
    Save-Elapsed
    $Found.stage = 'done'
  }
  catch {
    # Errors are told apart by types and numbers; their texts are in the PC's language.
    $kind, $code = 'other', $null
    for ($inner = $_.Exception; $inner; $inner = $inner.InnerException) {
      if ($inner -is [Net.Sockets.SocketException]) {
        $code = [int]$inner.SocketErrorCode
        $kind = switch ($code) {
          10061 { 'refused' } 10054 { 'reset' } 10053 { 'reset' } 10060 { 'timeout' } 10051 { 'unreachable' } 10065 { 'unreachable' }
          11001 { 'not_found' } 11004 { 'not_found' } 11002 { 'try_again' } default { 'other' }
        }
        break
      }
      if ($inner -is [TimeoutException]) { $kind = 'timeout'; break }
      if ($inner -is [IO.EndOfStreamException]) { $kind = 'closed'; break }
      if ($inner -is [Security.Authentication.AuthenticationException]) {
        $kind = if ($inner.InnerException) { 'tls_alert' } else { 'plain_http' }
        break
      }
      # .NET Framework says only this of an answer without TLS, too; but then the rest of it is still there to be read.
      if ($inner -is [IO.IOException] -and -not $inner.InnerException) { $kind = if ($client.Available) { 'plain_http' } else { 'closed' } }
    }
    $Found.error = @{ kind = $kind; code = $code; text = [string]$_.Exception.GetBaseException().Message }
  }
  finally { foreach ($one in $Found.clients.ToArray()) { $one.Close() } }
}

# Runs every probe over each of its ways side by side; what is left after the seconds is cut off, as timed out.
Function Invoke-ETS6Probe {
  param ([AllowEmptyCollection()][object[]]$Probes, [int]$Seconds)

  if (-not $Probes) { return , @() }
  $until = [DateTime]::UtcNow.AddSeconds($Seconds)
  # In .NET Framework a name that is being resolved holds a thread of the pool, which has few at first.
  $null = [Threading.ThreadPool]::SetMinThreads(32, 32)
  $pool = [runspacefactory]::CreateRunspacePool(1, 16)
  $pool.Open()
  $running = @(foreach ($probe in $Probes) {
      foreach ($way in $probe.ways) {
        $found = [hashtable]::Synchronized(@{
            name = $probe.name; way = $way; stage = 'queue'; error = $null; addresses = @(); address = $null; local = $null
            elapsed = [hashtable]::Synchronized(@{}); connect = $null; tls = $null; http = $null; clients = [Collections.Concurrent.ConcurrentBag[object]]::new()
          })
        $shell = [Management.Automation.PowerShell]::Create()
        $shell.RunspacePool = $pool
        $null = $shell.AddScript($script:ProbeScript.ToString()).AddArgument($probe).AddArgument($found).AddArgument($until)
        @{ shell = $shell; found = $found; handle = $shell.BeginInvoke() }
      }
    })
  foreach ($one in $running) {
    $null = $one.handle.AsyncWaitHandle.WaitOne([int][Math]::Max(0, ($until - [DateTime]::UtcNow).TotalMilliseconds))
  }
  $results = foreach ($one in $running) {
    $over = -not $one.handle.IsCompleted
    # A late probe may still write to it.
    $result = $one.found.Clone()
    $result.elapsed = $result.elapsed.Clone()
    $result.Remove('clients')
    if ($over) {
      $result.error = @{ kind = 'timeout'; code = $null; text = 'the time for all probes was over' }
      # This ends all that waits on a socket.
      foreach ($client in $one.found.clients.ToArray()) { $client.Close() }
    }
    $result
  }
  , @($results)
}

#endregion
#region Changes

# Performs the operations in their order and says what became of each. Where one fails, what it and the earlier ones of its unit did
# is put back, and nothing after it is done.
Function Invoke-ETS6Operation {
  param ([object[]]$Operations, [bool]$CheckMode)

  $states = @($Operations | ForEach-Object { @{ state = 'not_done'; error = '' } })
  if ($CheckMode) { return , $states }
  $undo = [Collections.Generic.List[object]]::new()
  for ($at = 0; $at -lt $Operations.Count; $at++) {
    $step = $Operations[$at]
    $first = $undo.Count
    try {
      switch ($step['do']) {
        'set_registry_values' {
          foreach ($value in $step['values']) {
            $name, $type, $data = $value
            Set-ETS6RegistryValue -Undo $undo -Path $step.path -Name $name -Type $type -Data $data
          }
        }
        'set_winhttp_proxy' { Set-ETS6WinHttpProxy -Undo $undo -Server $step.server -Bypass $step.bypass }
        'set_firewall_rule' { Set-ETS6FirewallRule -Rule $step.rule }
        'remove_firewall_rule' { Remove-ETS6FirewallRule -Id $step.id }
        'allow_multicast_answers' { Set-NetFirewallProfile -Name $step.profile -AllowUnicastResponseToMulticast True -ErrorAction Stop }
        default { throw "$($step['do']): there is no such operation" }
      }
      $states[$at].state = 'done'
    }
    catch {
      $states[$at].state = 'failed'
      $states[$at].error = Get-ETS6Error -Record $_
    }
    for ($new = $first; $new -lt $undo.Count; $new++) { $undo[$new].at = $at }
    if ($states[$at].state -eq 'done') { continue }
    for ($back = $undo.Count - 1; $back -ge 0; $back--) {
      $earlier = $undo[$back]
      if ($earlier.at -ne $at -and (-not $step['unit'] -or $Operations[$earlier.at]['unit'] -ne $step['unit'])) { continue }
      $state = $states[$earlier.at]
      try {
        Restore-ETS6RegistryValue -Before $earlier
        if ($state.state -eq 'done' -and -not $state.error) { $state.state = 'restored' }
      }
      catch {
        if ($state.state -eq 'restored') { $state.state = 'done' }
        $state.error += " $($earlier.path), $($earlier.name) could not be put back: $(Get-ETS6Error -Record $_)"
      }
    }
    break
  }
  , $states
}

# Gives an error's text with its id, which is the same in every language.
Function Get-ETS6Error {
  param ([Management.Automation.ErrorRecord]$Record)

  $text, $id = $Record.Exception.GetBaseException().Message, $Record.FullyQualifiedErrorId
  if ($id -eq $text) { $text } else { "$text [$id]" }
}

# Adds to the list what Restore-ETS6RegistryValue needs to put a value back. The key may be none.
Function Save-ETS6RegistryValue {
  param ([Collections.IList]$Undo, [AllowNull()][object]$Key, [string]$Path, [string]$Name, [string]$Made)

  $before = @{ path = $Path; name = $Name; kind = $null; data = $null; made = $Made }
  if ($null -ne $Key -and @($Key.GetValueNames()) -contains $Name) {
    $before.kind = $Key.GetValueKind($Name)
    $before.data = $Key.GetValue($Name, $null, 'DoNotExpandEnvironmentNames')
  }
  $null = $Undo.Add($before)
}

Function Set-ETS6RegistryValue {
  param ([Collections.IList]$Undo, [string]$Path, [string]$Name, [string]$Type, [AllowNull()][object]$Data)

  $Data = ConvertTo-ETS6Value -Type $Type -Data $Data
  $key = Open-ETS6Key -Path $Path -Write
  if ($null -eq $key) {
    if (-not $Type) { return }
    for ($above = $Path; $null -eq $key; $key = Open-ETS6Key -Path $above) {
      $made = $above
      $above = $above.Substring(0, $above.LastIndexOf('\'))
    }
    $key.Dispose()
    Save-ETS6RegistryValue -Undo $Undo -Path $Path -Name $Name -Made $made
    $key = Open-ETS6Key -Path $Path -Create
  }
  else { Save-ETS6RegistryValue -Undo $Undo -Key $key -Path $Path -Name $Name }
  try {
    if ($Type) { $key.SetValue($Name, $Data, [Microsoft.Win32.RegistryValueKind]$script:Kinds[$Type]) }
    else { $key.DeleteValue($Name, $false) }
  }
  finally { $key.Dispose() }
}

Function Restore-ETS6RegistryValue {
  param ([Collections.IDictionary]$Before)

  $path = $Before.path
  $key = Open-ETS6Key -Path $path -Write
  if ($null -ne $key) {
    try {
      if ($null -ne $Before.kind) { $key.SetValue($Before.name, $Before.data, $Before.kind) }
      else { $key.DeleteValue($Before.name, $false) }
    }
    finally { $key.Dispose() }
  }
  while ($Before.made) {
    $above, $name = $path.Substring(0, $path.LastIndexOf('\')), $path.Substring($path.LastIndexOf('\') + 1)
    $key = Open-ETS6Key -Path $path
    if ($null -ne $key) {
      $used = $key.ValueCount + $key.SubKeyCount
      $key.Dispose()
      if ($used) { return }
      $key = Open-ETS6Key -Path $above -Write
      try { $key.DeleteSubKey($name, $false) }
      finally { $key.Dispose() }
    }
    if ($path -eq $Before.made) { return }
    $path = $above
  }
}

Function ConvertTo-ETS6Value {
  param ([string]$Type, [AllowNull()][object]$Data)

  switch ($Type) {
    '' { }
    'REG_DWORD' { [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]$Data), 0) }
    'REG_QWORD' { [BitConverter]::ToInt64([BitConverter]::GetBytes([uint64]$Data), 0) }
    'REG_MULTI_SZ' { , [string[]]@($Data) }
    { $_ -in 'REG_SZ', 'REG_EXPAND_SZ' } { [string]$Data }
    { $_ -in 'REG_BINARY', 'REG_NONE' } { , [Convert]::FromBase64String($Data) }
    default { throw "${Type}: values of this type are not written" }
  }
}

# Sets WinHTTP's proxy with netsh; its exit code counts, its text is in the PC's language.
Function Set-ETS6WinHttpProxy {
  param ([Collections.IList]$Undo, [string]$Server, [string]$Bypass)

  foreach ($path in $script:WinHttpKeys) {
    $key = Open-ETS6Key -Path $path
    try { Save-ETS6RegistryValue -Undo $Undo -Key $key -Path $path -Name WinHttpSettings }
    finally { if ($key) { $key.Dispose() } }
  }
  $words = @('winhttp', 'reset', 'proxy')
  if ($Server) { $words = @('winhttp', 'set', 'proxy', "proxy-server=$Server") + @(if ($Bypass) { "bypass-list=$Bypass" }) }
  $code = Invoke-ETS6Program -Name netsh.exe -Words $words
  if ($code -ne 0) { throw "netsh $($words[0..2] -join ' ') ended with exit code $code" }
}

# Says whether the local store has a rule with this id: quicker than asking for it, and the id is no pattern here.
Function Test-ETS6FirewallRule {
  param ([string]$Id)

  $key = Open-ETS6Key -Path $script:LocalRules
  if ($null -eq $key) { return $false }
  try { @($key.GetValueNames()) -contains $Id }
  finally { $key.Dispose() }
}

# Makes a rule in the place of one with this id. A rule's group cannot be changed, and one with a group may refuse other changes: it is
# made anew, first under a second id, so that ETS6 may receive all the time, and what Windows refuses costs nothing.
Function Set-ETS6FirewallRule {
  param ([Collections.IDictionary]$Rule)

  $new = @{
    DisplayName = $Rule.display_name; Description = $Rule.description; Group = $Rule.group; Program = $Rule.program
    Direction = $Rule.direction; Protocol = $Rule.protocol; Profile = @($Rule.profiles) -join ', '; Action = 'Allow'; Enabled = 'True'
  }
  if ($Rule['remote_addresses']) { $new.RemoteAddress = [string[]]$Rule.remote_addresses }
  $aside = "$($Rule.id)-new"
  # It is there where an earlier run was killed.
  Remove-ETS6FirewallRule -Id $aside
  if (Test-ETS6FirewallRule -Id $Rule.id) {
    $null = New-NetFirewallRule @new -Name $aside -ErrorAction Stop
    try { Remove-ETS6FirewallRule -Id $Rule.id }
    catch {
      Remove-ETS6FirewallRule -Id $aside
      throw
    }
  }
  $null = New-NetFirewallRule @new -Name $Rule.id -ErrorAction Stop
  Remove-ETS6FirewallRule -Id $aside
}

Function Remove-ETS6FirewallRule {
  param ([string]$Id)

  # Without a name Remove-NetFirewallRule would remove every local rule, and a name is a pattern.
  if (-not $Id) { throw 'the rule to be removed has no id' }
  if (Test-ETS6FirewallRule -Id $Id) { Remove-NetFirewallRule -Name ([WildcardPattern]::Escape($Id)) -ErrorAction Stop }
}

#endregion

Function Get-ETS6Request {
  param ([Collections.IDictionary]$Argument)

  $asked = @{}
  foreach ($name in $script:Options) { $asked[$name] = @(if ($null -ne $Argument[$name]) { $Argument[$name] }) }
  foreach ($entry in $Argument.GetEnumerator()) {
    if ($entry.Key -notlike '_ansible_*' -and $script:Options -notcontains $entry.Key) {
      throw "windows_host has no option $($entry.Key). It has $($script:Options -join ', ')."
    }
  }
  foreach ($name in 'registry', 'user_registry') {
    $asked[$name] = @(foreach ($key in $asked[$name]) {
        if ($key -isnot [Collections.IDictionary] -or -not $key['path']) { throw "${name}: each entry has a path, and may have a depth." }
        @{ path = [string]$key.path; depth = [int]$key['depth'] }
      })
  }
  $asked.probe_timeout = if ($asked.probe_timeout) { [int]$asked.probe_timeout[0] } else { 10 }
  $asked
}

Function Invoke-AnsibleETS6Request {
  <#
  .SYNOPSIS
  Does what the module windows_host is asked for: the operations, then the reading.
  .PARAMETER Argument
  The module's options, as Ansible gives them.
  #>
  [OutputType([Collections.IDictionary])]
  param ([Parameter(Mandatory)][Collections.IDictionary]$Argument)

  $asked = Get-ETS6Request -Argument $Argument
  $states = @()
  $stays = $null
  if ($asked.operations) {
    try { $states = Invoke-ETS6Operation -Operations $asked.operations -CheckMode ([bool]$Argument['_ansible_check_mode']) }
    finally { $stays = Dismount-ETS6Hive }
  }
  $snapshot = Get-ETS6Snapshot -Asked $asked
  if ($stays) { $snapshot.errors['hives'] = $stays -join ' ' }
  @{
    changed = [bool]@($states | Where-Object { $_.state -eq 'done' })
    operations = $states
    snapshot = Compress-ETS6Text -Text (ConvertTo-AnsibleETS6Json -InputObject $snapshot)
  }
}

Export-ModuleMember -Function ConvertTo-AnsibleETS6Json, Invoke-AnsibleETS6Request
