# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Changes, reads and probes a PC, in Windows PowerShell 5.1 and PowerShell 7. Ansible sends it as it is: keep it short.
# No C#, and nothing that looks like an attack to a virus scanner.

# AppLocker and App Control for Business do this.
if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') { throw "PowerShell runs in $($ExecutionContext.SessionState.LanguageMode) mode" }
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

# Compares names as the registry does; [ordered]@{} takes names that sort alike as equal.
Function New-ETS6Map { [Collections.Specialized.OrderedDictionary]::new([StringComparer]::OrdinalIgnoreCase) }

$script:UserSid = '^S-1-(5-21|12-1)-[0-9-]+$'
$script:Mounts = @{}
$script:Tried = @{}
$script:Cim = @{ OperationTimeoutSec = 20 }
$script:Profiles = New-ETS6Map
$script:Options = 'registry', 'user_registry', 'files', 'named_files', 'probes', 'probe_timeout', 'operations'
$script:Windows = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
$script:ProfileList = "$Windows\ProfileList"
$script:Internet = 'Software\Microsoft\Windows\CurrentVersion\Internet Settings'
$script:LocalRules = 'HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules'
# Stays where a run ends in the middle.
$script:Record = @{ path = 'HKLM\SOFTWARE\ets6.network changes'; name = 'Begun'; kind = $null }
$Record.made = $Record.path
$script:Kinds = @{
  REG_SZ = 'String'; REG_EXPAND_SZ = 'ExpandString'; REG_MULTI_SZ = 'MultiString'; REG_DWORD = 'DWord'; REG_QWORD = 'QWord'
  REG_BINARY = 'Binary'; REG_NONE = 'None'
}

# Returns the exit code; the output is localized.
Function Invoke-ETS6Program([string]$Name, [string[]]$Arguments) {
  # Users may be able to write to a folder in PATH.
  $program = Get-Command "$env:SystemRoot\System32\$Name"
  # 5.1 turns what a program writes to a redirected error stream into errors.
  $ErrorActionPreference = 'SilentlyContinue'
  try { $null = & $program @Arguments 2>&1 }
  catch { return "none: $(Get-ETS6Message $_)" }
  $LASTEXITCODE
}

Function Get-ETS6Message($ErrorRecord) { $ErrorRecord.Exception.GetBaseException().Message }

# ----- JSON and compression

# In ASCII. ConvertTo-Json of 5.1 is slow and writes some arrays as objects.
Function ConvertTo-ETS6Json($InputObject) {
  if ($null -eq $InputObject) { return 'null' }
  if ($InputObject -is [string]) {
    $text = $InputObject.Replace('\', '\\').Replace('"', '\"')
    if ($text -match '[^\x20-\x7e]') { $text = [regex]::Replace($text, '[^\x20-\x7e]', { param ($match) '\u{0:x4}' -f [int][char]$match.Value }) }
    return '"' + $text + '"'
  }
  if ($InputObject -is [bool]) { return $InputObject.ToString().ToLowerInvariant() }
  if ($InputObject -is [Collections.IDictionary]) {
    # A key "Keys" hides the property .Keys.
    $parts = @(foreach ($entry in $InputObject.GetEnumerator()) { (ConvertTo-ETS6Json ([string]$entry.Key)) + ':' + (ConvertTo-ETS6Json $entry.Value) })
    return '{' + ($parts -join ',') + '}'
  }
  if ($InputObject -is [Collections.IEnumerable]) {
    return '[' + (@(foreach ($item in $InputObject) { ConvertTo-ETS6Json $item }) -join ',') + ']'
  }
  [string]$InputObject
}

Function Compress-ETS6Text([string]$Text) {
  $bytes = [Text.Encoding]::ASCII.GetBytes($Text)
  $packed = [IO.MemoryStream]::new()
  $gzip = [IO.Compression.GZipStream]::new($packed, [IO.Compression.CompressionMode]::Compress)
  $gzip.Write($bytes, 0, $bytes.Length)
  $gzip.Dispose()
  [Convert]::ToBase64String($packed.ToArray())
}

# ----- Registry

# Opens HKLM\... or HKU\<sid>\... in the 64-bit view. Returns nothing if the key is missing.
Function Open-ETS6Key([string]$Path, [switch]$Write, [switch]$Create) {
  $root, $below = $Path.TrimEnd('\') -split '\\', 2
  $hive = switch ($root) { 'HKLM' { 'LocalMachine' } 'HKU' { 'Users' } default { throw "${Path}: the path must begin with HKLM or HKU" } }
  $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, 'Registry64')
  try {
    if ($root -eq 'HKU' -and $below) {
      $sid, $below = $below -split '\\', 2
      # If the user logs off meanwhile, the keys are unreadable and not missing.
      $user = $base.OpenSubKey((Mount-ETS6Hive $sid), [bool]$Write)
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

# Returns [type, data]: numbers unsigned, bytes as base64. .NET gives a REG_DWORD of more than 4 bytes as bytes.
Function ConvertFrom-ETS6Value([string]$Kind, $Data) {
  if ($Data -is [string]) { return , @($(if ($Kind -eq 'ExpandString') { 'REG_EXPAND_SZ' } else { 'REG_SZ' }), $Data) }
  if ($Data -is [int]) { return , @('REG_DWORD', [BitConverter]::ToUInt32([BitConverter]::GetBytes($Data), 0)) }
  if ($Data -is [long]) { return , @('REG_QWORD', [BitConverter]::ToUInt64([BitConverter]::GetBytes($Data), 0)) }
  if ($Data -is [string[]]) { return , @('REG_MULTI_SZ', $Data) }
  $type = switch ($Kind) { 'Binary' { 'REG_BINARY' } 'None' { 'REG_NONE' } default { 'REG_UNKNOWN' } }
  , @($type, $(if ($Data -is [byte[]]) { [Convert]::ToBase64String($Data) } else { '' }))
}

Function ConvertTo-ETS6Value([string]$Type, $Data) {
  switch ($Type) {
    '' { }
    'REG_DWORD' { [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]$Data), 0) }
    'REG_QWORD' { [BitConverter]::ToInt64([BitConverter]::GetBytes([uint64]$Data), 0) }
    'REG_MULTI_SZ' { , [string[]]@($Data) }
    { $_ -in 'REG_SZ', 'REG_EXPAND_SZ' } { [string]$Data }
    { $_ -in 'REG_BINARY', 'REG_NONE' } { , [Convert]::FromBase64String($Data) }
    default { throw "${Type}: this type is not supported" }
  }
}

# Reads a key and those below it, down to a depth. Users could make a reply too large.
Function Read-ETS6Key($Into, [string]$Path, [int]$Depth, $Only) {
  $room = if ($Path -like 'HKU\*') { 512KB } else { 64MB }
  $names = @()
  $Into[$Path] = @{ state = 'missing' }
  try {
    $key = Open-ETS6Key $Path
    if ($null -eq $key) { return }
    try {
      $values = New-ETS6Map
      $room -= 256 * $key.SubKeyCount
      foreach ($name in $key.GetValueNames()) {
        if ($Only -and $Only -notcontains $name) { continue }
        $value = ConvertFrom-ETS6Value $key.GetValueKind($name) $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
        $room -= 64 + $name.Length + "$($value[1])".Length
        if ($room -lt 0) { break }
        $values[$name] = $value
      }
      if ($room -lt 0) { throw 'the key holds too much' }
      $names = @($key.GetSubKeyNames())
    }
    finally { $key.Dispose() }
    $Into[$Path] = @{ state = 'present'; values = $values; keys = $names }
  }
  catch { $Into[$Path] = @{ state = 'unreadable'; error = Get-ETS6Message $_ } }
  if ($Depth -gt 0) {
    foreach ($name in $names) { Read-ETS6Key -Into $Into -Path "$Path\$name" -Depth ($Depth - 1) }
  }
}

Function Get-ETS6Data($Registry, [string]$Path, [string]$Name) {
  $key = $Registry[$Path]
  if ($key -and $key.state -eq 'present' -and $key['values'].Contains($Name)) { $key['values'][$Name][1] }
}

# ----- Users and their hives

# Returns the profile folder of each user who could run ETS6, and of the default profile, by SID. Null: unreadable.
Function Get-ETS6Profile {
  if ($Profiles.Count) { return $Profiles }
  $list = New-ETS6Map
  Read-ETS6Key $list $ProfileList 1
  $top = $list[$ProfileList]
  if ($top.state -ne 'present') { throw "$ProfileList is $($top.state)" }
  foreach ($sid in @($top['keys'] -match $UserSid) + 'default') {
    $path, $name = if ($sid -eq 'default') { $ProfileList, 'Default' } else { "$ProfileList\$sid", 'ProfileImagePath' }
    $folder = Get-ETS6Data -Registry $list -Path $path -Name $name
    if ($null -ne $folder) { $Profiles[$sid] = [Environment]::ExpandEnvironmentVariables($folder) }
    elseif ($list[$path].state -ne 'present') { $Profiles[$sid] = $null }
  }
  $Profiles
}

# Returns the name of a user's hive below HKEY_USERS; loads it if necessary, until Dismount-ETS6Hive.
Function Mount-ETS6Hive([string]$Sid) {
  if ($Mounts.ContainsKey($Sid)) { return $Mounts[$Sid] }
  $users = Open-ETS6Key HKU
  $loaded = @($users.GetSubKeyNames())
  $users.Dispose()
  if ($loaded -contains $Sid) { return $Sid }
  $folders = Get-ETS6Profile
  if (-not $folders.Contains($Sid)) { throw "${Sid}: there is no such profile" }
  if ($null -eq $folders[$Sid]) { throw "${Sid}: the path of the profile cannot be read" }
  # A run that was killed left its hives loaded: their users cannot log on.
  foreach ($name in $loaded -match '^ETS6-\d+-') {
    $owner = Get-Process -Id ($name -split '-')[1] -ErrorAction SilentlyContinue
    $runs = $owner -and $owner.Id -ne $PID -and $owner.ProcessName -match '^(powershell|pwsh|wsmprovhost)$'
    if (-not $runs -and -not $Mounts.ContainsValue($name)) { $null = Invoke-ETS6Program reg.exe unload, "HKU\$name" }
  }
  $file = "$($folders[$Sid])\NTUSER.DAT"
  # RegLoadKey creates a missing file. A user can make links of both.
  foreach ($path in $folders[$Sid], $file) {
    $item = Get-Item -LiteralPath $path -Force
    if (Test-ETS6Link $item) { throw "$path is a link" }
  }
  if ($item.Length -gt 256MB) { throw "$file is larger than 256 MB" }
  if (-not $Tried.Contains($Sid) -and $Tried.Count -ge 200) { throw 'no more than 200 hives are loaded' }
  $Tried[$Sid] = $true
  $name = "ETS6-$PID-$Sid"
  $code = Invoke-ETS6Program reg.exe load, "HKU\$name", $file
  if ($code) { throw "reg load of $file failed with exit code $code" }
  $Mounts[$Sid] = $name
  $name
}

# Returns a sentence for each hive that is still loaded.
Function Dismount-ETS6Hive {
  foreach ($name in @($Mounts.Values)) {
    for ($try = 1; $try -le 5; $try++) {
      $code = Invoke-ETS6Program reg.exe unload, "HKU\$name"
      if (-not $code) { break }
      # A key that waits for the garbage collector holds the hive; a virus scanner may for a moment.
      [GC]::Collect()
      [GC]::WaitForPendingFinalizers()
      Start-Sleep -Milliseconds (100 * $try)
    }
    if ($code) { "HKU\$name is still loaded, since reg unload failed with exit code ${code}. Its user cannot log on until the PC restarts." }
  }
  $Mounts.Clear()
}

# Returns who is logged on: the owner of a process in each session. Kiosks have no explorer.exe.
Function Get-ETS6LoggedOnUser {
  $system = 'csrss.exe', 'winlogon.exe', 'dwm.exe', 'fontdrvhost.exe', 'LogonUI.exe'
  $owners = @{}
  $processes = Get-CimInstance -ClassName Win32_Process -Filter 'SessionId<>0' @Cim
  foreach ($process in $processes | Sort-Object -Property { $_.Name -ne 'explorer.exe' }, ProcessId) {
    if ($system -contains $process.Name -or $owners.ContainsKey($process.SessionId)) { continue }
    try { $sid = (Invoke-CimMethod -InputObject $process -MethodName GetOwnerSid @Cim).Sid }
    catch { continue } # the process has ended
    if ($sid -match $UserSid) { $owners[$process.SessionId] = $sid }
  }
  $owners.GetEnumerator() | ForEach-Object { $_.Value }
}

# Lists who could run ETS6, and reads their keys, one hive after the other.
Function Get-ETS6User($Registry, $Keys) {
  $folders = Get-ETS6Profile
  $loggedOn = @(Get-ETS6LoggedOnUser)
  , @(foreach ($entry in $folders.GetEnumerator()) {
      $sid, $folder = $entry.Key, [string]$entry.Value
      $user = @{ sid = $sid; name = ''; profile = $folder; hive = 'unavailable'; logged_on = $loggedOn -contains $sid; error = '' }
      if ($sid -ne 'default') { $user.name = ($folder -split '\\')[-1] }
      try {
        if (-not $Keys) { throw 'no key was requested' }
        $user.hive = if ((Mount-ETS6Hive $sid) -eq $sid) { 'loaded' } else { 'file' }
        foreach ($key in $Keys) { Read-ETS6Key -Into $Registry -Path "HKU\$sid\$($key.path)" -Depth $key.depth -Only $key.values }
      }
      catch [Management.Automation.ItemNotFoundException], [Management.Automation.DriveNotFoundException] {
        $user.hive = 'missing'
        $user.error = Get-ETS6Message $_
      }
      catch { $user.error = Get-ETS6Message $_ }
      finally {
        $loaded = Dismount-ETS6Hive
        if ($loaded) { $user.error = $loaded }
      }
      $user
    })
}

# Lists the PC's own users and groups where a rule is for an account: it may take a while.
Function Get-ETS6Account($Registry) {
  $rules = @(foreach ($key in $Registry.GetEnumerator()) {
      if ($key.Key -notlike '*\FirewallRules' -or $key.Value.state -ne 'present') { continue }
      foreach ($entry in $key.Value['values'].GetEnumerator()) { [string]$entry.Value[1] }
    })
  if (-not ($rules -match '\|LUAuth[^=|]*=[^|]*;S-1-5-21-')) { return , @() }
  , @(foreach ($account in Get-CimInstance -ClassName Win32_Account -Filter "Domain='$env:COMPUTERNAME'" @Cim) {
      @{ sid = [string]$account.SID; name = [string]$account.Name; group = 1 -ne $account.SIDType }
    })
}

# ----- The PC

Function Get-ETS6Host {
  $list = New-ETS6Map
  Read-ETS6Key -Into $list -Path $Windows -Depth 0
  $text = { "$(Get-ETS6Data -Registry $list -Path $Windows -Name $args[0])" }
  @{
    name = [string]$env:COMPUTERNAME
    os = "10.0.$(& $text CurrentBuildNumber)"
    edition = & $text EditionID
    release = & $text DisplayVersion
    revision = & $text UBR
    powershell = $PSVersionTable.PSVersion.ToString()
    time = (Get-Date).ToUniversalTime().ToString('s') + 'Z'
  }
}

Function Get-ETS6Environment {
  $paths = '^((Common)?ProgramFiles(\(x86\))?|ProgramW6432|ProgramData|SystemRoot|SystemDrive|windir|PUBLIC|ALLUSERSPROFILE)$'
  $variables = New-ETS6Map
  foreach ($entry in [Environment]::GetEnvironmentVariables().GetEnumerator()) {
    if ($entry.Key -match $paths) { $variables[$entry.Key] = [string]$entry.Value }
    # The value may hold a password.
    elseif ($entry.Key -match '^(HTTP|HTTPS|ALL|NO)_PROXY$') { $variables[$entry.Key] = 'set' }
  }
  $variables
}

# Returns the lines of the hosts file that name a server to be probed.
Function Get-ETS6HostsLine($Probes) {
  $names = @(foreach ($probe in $Probes) { ([Uri]$probe.url).DnsSafeHost })
  if (-not $names) { return , @() }
  , @(foreach ($line in Get-Content -LiteralPath "$env:SystemRoot\System32\drivers\etc\hosts") {
      $words = @(-split ($line -split '#')[0])
      if ($words | Select-Object -Skip 1 | Where-Object { $_.TrimEnd('.') -in $names }) { $words -join ' ' }
    })
}

# Returns the requested paths and those that a value of the machine names.
Function Find-ETS6Path($Paths, $Names, $Registry) {
  foreach ($path in $Paths) {
    if ($path.StartsWith('*:\')) {
      foreach ($drive in Get-CimInstance -ClassName Win32_LogicalDisk -Filter 'DriveType=3' @Cim) {
        $drive.DeviceID + $path.Substring(2)
      }
    }
    else { [Environment]::ExpandEnvironmentVariables($path) }
  }
  if (-not $Names) { return }
  $pattern = '(?:^|[=|"])([^=|"]*\\(?:' + (@($Names | ForEach-Object { [regex]::Escape($_) }) -join '|') + '))(?=$|[|"])'
  $regex = [regex]::new($pattern, [Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')
  foreach ($key in $Registry.GetEnumerator()) {
    if ($key.Value.state -ne 'present' -or $key.Key -notlike 'HKLM\*') { continue }
    foreach ($entry in $key.Value['values'].GetEnumerator()) {
      if ($entry.Value[1] -isnot [string]) { continue }
      foreach ($match in $regex.Matches($entry.Value[1])) {
        $path = [Environment]::ExpandEnvironmentVariables($match.Groups[1].Value)
        # A path on another PC would send that PC a login.
        if ($path -match '^[A-Za-z]:\\') { $path }
      }
    }
  }
}

Function Test-ETS6Link($Item) { [bool]($Item.Attributes -band [IO.FileAttributes]::ReparsePoint) }

# Returns the folders above a file, from the root, and the file. A root needs its backslash.
Function Get-ETS6Part([string]$Path) {
  foreach ($slash in [regex]::Matches("$Path\", '\\')) { $Path.Substring(0, [Math]::Max($slash.Index, 3)) }
}

# Users may own what only a rule names, and choose where a link leads.
Function Get-ETS6File([string]$Path, [bool]$Follow) {
  $file = @{ path = $Path; state = 'missing'; version = ''; size = 0; error = ''; head = '' }
  try {
    $parts = if ($Follow) { $Path } else { Get-ETS6Part $Path }
    foreach ($part in $parts) {
      $item = Get-Item -LiteralPath $part -Force
      if (-not $Follow -and (Test-ETS6Link $item)) { throw "$part is a link" }
    }
    if (-not $item.PSIsContainer) {
      $version = $item.VersionInfo
      $file.version = $version.FileMajorPart, $version.FileMinorPart, $version.FileBuildPart, $version.FilePrivatePart -join '.'
      $file.size = $item.Length
      $file.state = 'present'
      # The first bytes tell a 32-bit program.
      $bytes = [byte[]]::new(1024)
      try {
        $stream = $item.OpenRead()
        try { $file.head = [Convert]::ToBase64String($bytes, 0, $stream.Read($bytes, 0, $bytes.Length)) }
        finally { $stream.Dispose() }
      }
      catch { $file.head = '' }
    }
  }
  catch [Management.Automation.ItemNotFoundException], [Management.Automation.DriveNotFoundException], [ArgumentException], [NotSupportedException] {
    # The last two: no file can have this name.
    $file.state = 'missing'
  }
  catch {
    $file.state = 'unreadable'
    $file.error = Get-ETS6Message $_
  }
  $file
}

# Returns owner, access rights and attributes of files and the folders above them.
Function Get-ETS6Access($Paths) {
  $access = New-ETS6Map
  foreach ($path in $Paths) {
    foreach ($part in Get-ETS6Part $path) {
      if ($access.Contains($part) -or $access.Count -ge 1000) { continue }
      try {
        $sddl = (Get-Acl -LiteralPath $part).GetSecurityDescriptorSddlForm('Owner, Access')
        $access[$part] = @{ sddl = $sddl; attributes = [int](Get-Item -LiteralPath $part -Force).Attributes }
      }
      catch { $access[$part] = @{ error = Get-ETS6Message $_ } }
    }
  }
  $access
}

# Lists the firewalls in Windows Security Center, which Windows Server does not have.
Function Get-ETS6FirewallProduct {
  try { $products = @(Get-CimInstance -Namespace root/SecurityCenter2 -ClassName FirewallProduct @Cim) }
  catch {
    if ($_.FullyQualifiedErrorId -like 'HRESULT 0x8004100e*') { return , @() }
    throw
  }
  # Bits 12 to 15 of productState, which are not documented: 1 is on, 0 is off.
  $states = @{ 1 = $true; 0 = $false }
  , @(foreach ($product in $products) {
      @{ name = [string]$product.displayName; enabled = $states[[int](([long]$product.productState -shr 12) -band 15)] }
    })
}

# A part that cannot be read is null, with the reason in errors.
Function Get-ETS6Snapshot($Request) {
  $registry = New-ETS6Map
  # Files that only values name.
  $others = [Collections.Generic.List[string]]::new()
  $snapshot = [ordered]@{ version = 1; registry = $registry; errors = @{} }
  foreach ($key in $Request.registry) { Read-ETS6Key -Into $registry -Path $key.path -Depth $key.depth -Only $key.values }
  $parts = [ordered]@{
    host = { Get-ETS6Host }
    environment = { Get-ETS6Environment }
    users = { Get-ETS6User $registry $Request.user_registry }
    local_accounts = { Get-ETS6Account $registry }
    files = {
      $seen = [Collections.Generic.HashSet[string]]::new([StringComparer]::OrdinalIgnoreCase)
      $asked = @(Find-ETS6Path -Paths $Request.files)
      $named = @(Find-ETS6Path -Names $Request.named_files -Registry $registry)
      , @(foreach ($path in $asked) { if ($seen.Add($path)) { Get-ETS6File $path $true } }
        foreach ($path in $named) {
          if (-not $seen.Add($path)) { continue }
          $file = Get-ETS6File $path $false
          if ($file.state -ne 'missing') { $others.Add($path) }
          $file
        })
    }
    access = { Get-ETS6Access $others }
    network = {
      $types = (New-Object -ComObject HNetCfg.FwPolicy2).CurrentProfileTypes
      , @(if ($types -band 1) { 'domain' }; if ($types -band 2) { 'private' }; if ($types -band 4) { 'public' })
    }
    # An empty name is the PC itself.
    addresses = { , @([Net.Dns]::GetHostAddressesAsync('').GetAwaiter().GetResult() | ForEach-Object { $_.ToString() }) }
    services = {
      $services = @{}
      foreach ($service in Get-Service -Name MpsSvc, BFE -ErrorAction SilentlyContinue) { $services[$service.Name] = $service.Status.ToString() }
      $services
    }
    firewall_products = { Get-ETS6FirewallProduct }
    registered_firewalls = {
      , @(foreach ($product in New-Object -ComObject HNetCfg.FwProducts) {
          @{ name = [string]$product.DisplayName; categories = @($product.RuleCategories | ForEach-Object { [int]$_ }) }
        })
    }
    networks = {
      , @(foreach ($network in Get-NetConnectionProfile -ErrorAction Stop) {
          @{
            interface = [string]$network.InterfaceAlias; index = [int]$network.InterfaceIndex; name = [string]$network.Name
            category = ('public', 'private', 'domain')[[int]$network.NetworkCategory]
          }
        })
    }
    firewall_service = {
      $policy = New-Object -ComObject HNetCfg.FwPolicy2
      $values = (Open-ETS6Key $LocalRules).ValueCount
      @{ rules = [int]$policy.Rules.Count; values = $values; modify_state = [int]$policy.LocalPolicyModifyState }
    }
    hosts_file = { Get-ETS6HostsLine $Request.probes }
    probes = { Invoke-ETS6Probe (Resolve-ETS6Proxy $Request.probes $snapshot) $Request.probe_timeout }
  }
  foreach ($part in $parts.GetEnumerator()) {
    $snapshot[$part.Key] = $null
    try { $snapshot[$part.Key] = & $part.Value }
    catch { $snapshot.errors[$part.Key] = Get-ETS6Message $_ }
  }
  if ($null -eq $snapshot.files) { $snapshot.files = @() }
  $snapshot
}

# ----- A guess at the proxies

# Guesses the proxies of each probe that names none. The controller works them out for itself, and probes over those that are missing
# here in another execution. tests/integration/proxy_cases.py holds both to the same cases.
Function Resolve-ETS6Proxy($Probes, $Snapshot) {
  $registry = $Snapshot.registry
  $users = @($Snapshot.users | Where-Object { $null -ne $_ -and $_.hive -in 'loaded', 'file' })
  foreach ($rule in { $_.sid -ne 'default' }, { $_.logged_on }) {
    $preferred = @($users | Where-Object $rule)
    if ($preferred) { $users = $preferred }
  }
  $policy = "HKLM\SOFTWARE\Policies$($Internet.Substring(8))"
  $machine = 0 -eq (Get-ETS6Data -Registry $registry -Path $policy -Name ProxySettingsPerUser)
  $roots = if ($machine) { 'HKLM' } else { $users | ForEach-Object { "HKU\$($_.sid)" } }
  , @(foreach ($probe in $Probes) {
      $probe = @{ name = $probe.name; url = $probe.url; address = $probe['address']; proxies = $probe['proxies']; max_body = $probe['max_body'] }
      if ($null -eq $probe.proxies) {
        $probe.proxies = @(foreach ($root in $roots) {
            try { Select-ETS6Proxy (Get-ETS6ProxySetting $registry "$root\$Internet\Connections") $probe.url }
            catch { continue }
          }) | Select-Object -Unique
      }
      $probe
    })
}

Function Get-ETS6ProxySetting($Registry, [string]$Path) {
  $data = Get-ETS6Data -Registry $Registry -Path $Path -Name DefaultConnectionSettings
  if ($null -eq $data) { return @{ flags = 0 } }
  $blob = [Convert]::FromBase64String($data)
  # Left to the controller, as a script is.
  if ($blob.Length -gt 8KB) { return @{ flags = 4 } }
  $latin1 = [Text.Encoding]::GetEncoding(28591)
  $length = [BitConverter]::ToInt32($blob, 12)
  @{
    flags = [BitConverter]::ToUInt32($blob, 8)
    proxy = $latin1.GetString($blob, 16, $length)
    bypass = $latin1.GetString($blob, 20 + $length, [BitConverter]::ToInt32($blob, 16 + $length))
  }
}

# Returns the proxy for a URL as .NET Framework reads the two lists, '' for none. A script is left to the controller.
Function Select-ETS6Proxy($Setting, [Uri]$Uri) {
  if ($Setting.flags -band 4) { return }
  if (-not ($Setting.flags -band 2) -or $Uri.IsLoopback) { return '' }
  $server = "$($Uri.Scheme)://$($Uri.Host)$(if (-not $Uri.IsDefaultPort) { ":$($Uri.Port)" })"
  foreach ($entry in ($Setting.bypass -replace '\*+', '*').Split(';').Trim()) {
    if (-not $entry) { continue }
    if ($entry -eq '<local>') {
      if ($Uri.Host -notmatch '[.:]') { return '' }
      continue
    }
    $scheme, $name, $port = '', $entry, ''
    if ($entry -match '^(.*://)?([^:]*)(:\d{1,5})?$') { $scheme, $name, $port = $Matches[1], $Matches[2], $Matches[3] }
    $scheme = if ($scheme) { [regex]::Escape($scheme) } else { '(?:.*://)?' }
    if (-not $port) { $port = '(?::\d{1,5})?' }
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

# ----- Probes

# One probe over one proxy, in its own runspace. Results go into $Found at once, for the case of a timeout.
$script:ProbeScript = {
  param ($Probe, $Found, $Until)

  $ErrorActionPreference = 'Stop'
  # The process must end although a name service, or Windows building a chain, does not.
  [Threading.Thread]::CurrentThread.IsBackground = $true
  $latin1 = [Text.Encoding]::GetEncoding(28591)
  $clock = [Diagnostics.Stopwatch]::StartNew()
  $script:StageEnd = $Until

  Function Enter-ETS6Stage([string]$Name, [int]$Seconds) {
    $Found.stage = $Name
    $end = [DateTime]::UtcNow.AddSeconds($Seconds)
    $script:StageEnd = if ($end -lt $Until) { $end } else { $Until }
    $clock.Restart()
  }

  Function Complete-ETS6Stage { $Found.elapsed[$Found.stage] = [int]$clock.ElapsedMilliseconds }

  # In milliseconds.
  Function Get-ETS6Timeout {
    $milliseconds = [int]($script:StageEnd - [DateTime]::UtcNow).TotalMilliseconds
    if ($milliseconds -lt 1) { throw [TimeoutException]::new('the stage timed out') }
    $milliseconds
  }

  Function Send-ETS6Request($Stream, [string]$Line, [string]$Authority, [string]$Fields) {
    $bytes = $latin1.GetBytes("$Line HTTP/1.1`r`nHost: $Authority`r`nUser-Agent: ets6.network-probe`r`n$Fields`r`n")
    $Stream.Write($bytes, 0, $bytes.Length)
  }

  # Returns the number of bytes, 0 at the end of the stream.
  Function Receive-ETS6Data($Stream, $Raw) {
    $buffer = [byte[]]::new(16384)
    $Stream.ReadTimeout = Get-ETS6Timeout
    $count = $Stream.Read($buffer, 0, $buffer.Length)
    $Raw.Write($buffer, 0, $count)
    $count
  }

  # Returns the lines of an answer's head and where the body begins.
  Function Read-ETS6Head($Stream, $Raw) {
    do {
      if ($Raw.Length -gt 16384) { throw 'the head of the answer is too long' }
      if (-not (Receive-ETS6Data $Stream $Raw)) { throw [IO.EndOfStreamException]::new('the connection was closed before an answer') }
      $text = $latin1.GetString($Raw.ToArray())
      # 1xx announces the answer.
      $start = [regex]::Match($text, '^(HTTP/\S+ 1\d\d[^\r\n]*(\r?\n[^\r\n]+)*\r?\n\r?\n)*').Length
      # Some servers end lines with LF alone (RFC 9112, 2.2).
      $blank = [regex]::new('\r?\n\r?\n').Match($text, $start)
    } while (-not $blank.Success)
    ($text.Substring($start, $blank.Index - $start) -split "`r?`n"), ($blank.Index + $blank.Length)
  }

  Function Read-ETS6Body($Stream, $Raw, [int]$End, [bool]$Chunked) {
    while ($Raw.Length -lt $End) {
      if ($Chunked -and $latin1.GetString($Raw.ToArray()).EndsWith("`r`n0`r`n`r`n", [StringComparison]::Ordinal)) { break }
      # What came before an error is an answer.
      try { if (-not (Receive-ETS6Data $Stream $Raw)) { break } }
      catch { break }
    }
  }

  Function Read-ETS6Answer($Stream, [int]$Cap, [switch]$WithBody) {
    $raw = [IO.MemoryStream]::new()
    $lines, $start = Read-ETS6Head $Stream $raw
    if ($lines[0] -notmatch '^HTTP/\S+ (\d{3})(?: |$)') { throw 'the answer is not HTTP' }
    $status = [int]$Matches[1]
    $chunked = $false
    $headers = @(foreach ($line in $lines | Select-Object -Skip 1) {
        $name, $value = ($line -split ':', 2).Trim()
        if ($null -eq $value) { continue }
        if ($name -eq 'Content-Length' -and $value -match '^\d{1,9}$') { $Cap = [Math]::Min($Cap, [int]$value) }
        if ($name -eq 'Transfer-Encoding' -and $value -eq 'chunked') { $chunked = $true }
        , @($name, $value)
      })
    if ($status -in 204, 304 -or -not $WithBody) { $Cap = 0 }
    if ($WithBody) { Read-ETS6Body -Stream $Stream -Raw $raw -End ($start + $Cap) -Chunked $chunked }
    $size = [Math]::Min($Cap, [int]$raw.Length - $start)
    @{ status = $status; headers = $headers; body = [Convert]::ToBase64String($raw.ToArray(), $start, $size) }
  }

  Function Resolve-ETS6Name([string]$Name) {
    Enter-ETS6Stage dns 8
    $task = [Net.Dns]::GetHostAddressesAsync($Name)
    while (-not $task.Wait((Get-ETS6Timeout))) { continue }
    $Found.addresses = @($task.Result | ForEach-Object { $_.ToString() })
    Complete-ETS6Stage
    $task.Result
  }

  # Tries the addresses side by side, each 250 ms after the one before it (RFC 8305).
  Function Connect-ETS6Server($Addresses, [int]$Port) {
    Enter-ETS6Stage tcp 5
    $next = 0
    $pending = [Collections.Generic.List[object]]::new()
    while ($true) {
      $timeout = Get-ETS6Timeout
      if ($next -eq $Addresses.Count -and -not $pending.Count) { throw $failure }
      try {
        if ($next -lt $Addresses.Count) {
          $address = $Addresses[$next++]
          $Found.address = $address.ToString()
          # TcpClient without a family is IPv4 only.
          $attempt = @{ address = $Found.address; client = [Net.Sockets.TcpClient]::new($address.AddressFamily) }
          $Found.clients.Add($attempt.client)
          $attempt.result = $attempt.client.BeginConnect($address, $Port, $null, $null)
          $pending.Add($attempt)
          if ($next -lt $Addresses.Count) { $timeout = [Math]::Min($timeout, 250) }
        }
        $at = [Threading.WaitHandle]::WaitAny([Threading.WaitHandle[]]@($pending | ForEach-Object { $_.result.AsyncWaitHandle }), $timeout)
        if ($at -eq [Threading.WaitHandle]::WaitTimeout) { continue }
        $attempt = $pending[$at]
        $pending.RemoveAt($at)
        $attempt.client.EndConnect($attempt.result)
        $Found.address = $attempt.address
        Complete-ETS6Stage
        return $attempt.client
      }
      catch { $failure = $_ }
    }
  }

  # Returns whether the proxy opened a tunnel.
  Function Open-ETS6Tunnel($Stream, [string]$Server) {
    Enter-ETS6Stage connect 8
    Send-ETS6Request -Stream $Stream -Line "CONNECT $Server" -Authority $Server
    $answer = Read-ETS6Answer $Stream 16384
    $Found.connect = $answer
    Complete-ETS6Stage
    if ($answer.status -ge 200 -and $answer.status -lt 300) { return $true }
    $Found.error = @{ kind = 'other'; code = $answer.status; text = "the proxy answered $($answer.status)" }
    $false
  }

  Function Protect-ETS6Stream($Stream, [string]$Name) {
    Enter-ETS6Stage tls 8
    $seen = @{}
    $encode = { process { [Convert]::ToBase64String($_.GetRawCertData()) } }
    # Needs a synchronous handshake: any other has no runspace for it.
    $callback = [Net.Security.RemoteCertificateValidationCallback] {
      param ($From, $Certificate, $Chain, $PolicyErrors)
      $null = $From
      $seen.presented = @(@($Certificate) + @($Chain.ChainPolicy.ExtraStore) | & $encode | Select-Object -Unique)
      $seen.built = @($Chain.ChainElements | ForEach-Object { $_.Certificate } | & $encode)
      $seen.chain_status = @($Chain.ChainStatus | ForEach-Object { $_.Status.ToString() })
      $seen.policy_errors = @($PolicyErrors.ToString() -split ',\s*' | Where-Object { $_ -ne 'None' })
      $true
    }
    $secured = [Net.Security.SslStream]::new($Stream, $false, $callback)
    $Stream.ReadTimeout = Get-ETS6Timeout
    # None lets Windows choose, and is refused where SecurityProtocol is not SystemDefault (0), as on Server 2016.
    $protocols = if ([int][Net.ServicePointManager]::SecurityProtocol) { 'Tls12' } else { 'None' }
    $secured.AuthenticateAsClient($Name, $null, [Security.Authentication.SslProtocols]$protocols, $false)
    $seen.protocol = $secured.SslProtocol.ToString()
    $Found.tls = $seen
    Complete-ETS6Stage
    $secured
  }

  # Tells errors apart by types and numbers: their texts are localized.
  Function Get-ETS6ProbeError($Exception) {
    $kind, $code = 'other', $null
    $kinds = @{
      10061 = 'refused'; 10054 = 'reset'; 10053 = 'reset'; 10060 = 'timeout'; 10051 = 'unreachable'; 10065 = 'unreachable'
      11001 = 'not_found'; 11004 = 'not_found'; 11002 = 'try_again'
    }
    for ($inner = $Exception; $inner; $inner = $inner.InnerException) {
      if ($inner -is [Net.Sockets.SocketException]) {
        $code = [int]$inner.SocketErrorCode
        if ($kinds[$code]) { $kind = $kinds[$code] }
        break
      }
      if ($inner -is [TimeoutException]) { $kind = 'timeout'; break }
      if ($inner -is [IO.EndOfStreamException]) { $kind = 'closed'; break }
      if ($inner -is [Security.Authentication.AuthenticationException]) {
        $kind = if ($inner.InnerException) { 'tls_alert' } else { 'plain_http' }
        if ($inner.InnerException -is [ComponentModel.Win32Exception]) { $code = $inner.InnerException.NativeErrorCode }
        break
      }
      # .NET Framework says no more of an answer without TLS, whose rest can still be read.
      if ($inner -is [IO.IOException] -and -not $inner.InnerException) { $kind = if ($client.Available) { 'plain_http' } else { 'closed' } }
    }
    @{ kind = $kind; code = $code; text = [string]$Exception.GetBaseException().Message }
  }

  try {
    $null = Get-ETS6Timeout
    $uri = [Uri]$Probe.url
    $secure = $uri.Scheme -eq 'https'
    $server = "$($uri.Host):$($uri.Port)"
    $target = @($Found.proxy, $Probe.address, $server) | Where-Object { $_ } | Select-Object -First 1
    $colon = $target.LastIndexOf(':')
    $addresses = @(Resolve-ETS6Name $target.Substring(0, $colon).Trim('[', ']'))
    $client = Connect-ETS6Server $addresses $target.Substring($colon + 1)
    $Found.local = $client.Client.LocalEndPoint.Address.ToString()
    $client.NoDelay = $true
    $stream = $client.GetStream()
    $stream.WriteTimeout = 8000
    if ($Found.proxy -and $secure -and -not (Open-ETS6Tunnel $stream $server)) { return }
    if ($secure) { $stream = Protect-ETS6Stream $stream $uri.DnsSafeHost }
    Enter-ETS6Stage http 8
    $path = if ($Found.proxy -and -not $secure) { "http://$server$($uri.PathAndQuery)" } else { $uri.PathAndQuery }
    Send-ETS6Request -Stream $stream -Line "GET $path" -Authority $uri.Authority -Fields "Accept: */*`r`nConnection: close`r`n"
    $Found.http = Read-ETS6Answer $stream $(if ($Probe.max_body) { $Probe.max_body } else { 65536 }) -WithBody
    Complete-ETS6Stage
    $Found.stage = 'done'
  }
  catch { $Found.error = Get-ETS6ProbeError $_.Exception }
  finally { foreach ($socket in $Found.clients.ToArray()) { $socket.Close() } }
}

# Runs all probes over all their proxies side by side, and ends them after the seconds.
Function Invoke-ETS6Probe($Probes, [int]$Seconds) {
  if (-not $Probes) { return , @() }
  $until = [DateTime]::UtcNow.AddSeconds($Seconds)
  # In .NET Framework each name that is being resolved holds a thread of the pool, which has few at first.
  $null = [Threading.ThreadPool]::SetMinThreads(32, 32)
  $pool = [runspacefactory]::CreateRunspacePool(1, 16)
  $pool.Open()
  $running = @(foreach ($probe in $Probes) {
      foreach ($proxy in $probe.proxies) {
        $found = [hashtable]::Synchronized(@{
            name = $probe.name; proxy = $proxy; stage = 'queue'; error = $null; addresses = @(); address = $null; local = $null
            elapsed = [hashtable]::Synchronized(@{}); connect = $null; tls = $null; http = $null; clients = [Collections.Concurrent.ConcurrentBag[object]]::new()
          })
        $shell = [Management.Automation.PowerShell]::Create()
        $shell.RunspacePool = $pool
        $null = $shell.AddScript($ProbeScript.ToString()).AddArgument($probe).AddArgument($found).AddArgument($until)
        @{ found = $found; handle = $shell.BeginInvoke() }
      }
    })
  foreach ($run in $running) { $null = $run.handle.AsyncWaitHandle.WaitOne([int][Math]::Max(0, ($until - [DateTime]::UtcNow).TotalMilliseconds)) }
  , @(foreach ($run in $running) {
      $late = -not $run.handle.IsCompleted
      # A late probe may still write to it.
      $result = $run.found.Clone()
      $result.elapsed = $result.elapsed.Clone()
      $result.Remove('clients')
      if ($late) {
        $result.error = @{ kind = 'timeout'; code = $null; text = 'the time for all probes ended' }
        # Ends all that waits on a socket.
        foreach ($client in $run.found.clients.ToArray()) { $client.Close() }
      }
      $result
    })
}

# ----- Changes

# Performs operations in order and returns the state of each. After a failure the unit is restored and its rest is not done.
Function Invoke-ETS6Plan($Operations, [bool]$CheckMode) {
  $states = @($Operations | ForEach-Object { @{ state = 'not_done'; error = '' } })
  if ($CheckMode) { return , $states }
  $undo = [Collections.Generic.List[object]]::new()
  try {
    $begun = "$([DateTime]::UtcNow.ToString('s'))Z $($states.Count)"
    Set-ETS6Value -Undo $undo -Path $Record.path -Name $Record.name -Type REG_SZ -Data $begun -Restrict $Record.path
    $undo.Clear()
  }
  catch {
    $states[0] = @{ state = 'failed'; error = Get-ETS6Error $_ }
    $Operations = @()
  }
  $failed = @()
  for ($at = 0; $at -lt $Operations.Count; $at++) {
    $unit = $Operations[$at]['unit']
    if ($failed -contains $unit) { continue }
    $first = $undo.Count
    try {
      Invoke-ETS6Operation $Operations[$at] $undo
      $states[$at].state = 'done'
    }
    catch {
      $states[$at].state = 'failed'
      $states[$at].error = Get-ETS6Error $_
    }
    for ($new = $first; $new -lt $undo.Count; $new++) { $undo[$new].at = $at }
    if ($states[$at].state -eq 'failed') {
      Undo-ETS6Operation -Operations $Operations -States $states -Undo $undo -Failed $at
      if ($unit) { $failed += $unit }
    }
  }
  try { Restore-ETS6Value $Record }
  catch { $states[-1].error += " $($Record.path), $($Record.name) could not be removed: $(Get-ETS6Error $_)" }
  , $states
}

Function Invoke-ETS6Operation($Step, $Undo) {
  switch ($Step['do']) {
    'set_registry_values' {
      foreach ($value in $Step['values']) {
        $name, $type, $data = $value
        Set-ETS6Value -Undo $Undo -Path $Step.path -Name $name -Type $type -Data $data -Restrict $Step['restrict']
      }
    }
    'set_winhttp_proxy' { Set-ETS6WinHttpProxy -Undo $Undo -Server $Step.server -Bypass $Step.bypass }
    'set_firewall_rule' { Set-ETS6Rule $Step.rule }
    'remove_firewall_rule' { Remove-ETS6Rule $Step.id }
    'allow_multicast_answers' { Set-NetFirewallProfile -Name $Step.profile -AllowUnicastResponseToMulticast True -ErrorAction Stop }
    default { throw "$($Step['do']): there is no such operation" }
  }
}

Function Undo-ETS6Operation($Operations, $States, $Undo, [int]$Failed) {
  $unit = $Operations[$Failed]['unit']
  for ($back = $Undo.Count - 1; $back -ge 0; $back--) {
    $before = $Undo[$back]
    if ($before.at -ne $Failed -and (-not $unit -or $Operations[$before.at]['unit'] -ne $unit)) { continue }
    $state = $States[$before.at]
    try {
      Restore-ETS6Value $before
      if ($state.state -eq 'done' -and -not $state.error) { $state.state = 'restored' }
    }
    catch {
      if ($state.state -eq 'restored') { $state.state = 'done' }
      $state.error += " $($before.path), $($before.name) could not be restored: $(Get-ETS6Error $_)"
    }
  }
}

# Returns the text of an error with its id, which is not localized.
Function Get-ETS6Error($ErrorRecord) {
  $text, $id = (Get-ETS6Message $ErrorRecord), $ErrorRecord.FullyQualifiedErrorId
  if ($id -eq $text) { $text } else { "$text [$id]" }
}

# Made is the topmost key that will be created.
Function Save-ETS6Value($Undo, $Key, [string]$Path, [string]$Name, [string]$Made) {
  $before = @{ path = $Path; name = $Name; kind = $null; data = $null; made = $Made }
  if ($null -ne $Key -and @($Key.GetValueNames()) -contains $Name) {
    $before.kind = $Key.GetValueKind($Name)
    $before.data = $Key.GetValue($Name, $null, 'DoNotExpandEnvironmentNames')
  }
  $null = $Undo.Add($before)
}

# Lets only SYSTEM and Administrators open a key and the one above it, before they hold anything.
Function Protect-ETS6Key([string]$Above, [string]$Path) {
  foreach ($restricted in $Above, $Path) {
    (Open-ETS6Key $restricted -Create).Dispose()
    $base = Open-ETS6Key HKLM
    $key = $base.OpenSubKey($restricted.Substring(5), 'ReadWriteSubTree', 'ChangePermissions')
    try {
      # One for each key: .NET writes it once only.
      $security = [Security.AccessControl.RegistrySecurity]::new()
      $security.SetSecurityDescriptorSddlForm('D:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)', 'Access')
      $key.SetAccessControl($security)
    }
    finally {
      $key.Dispose()
      $base.Dispose()
    }
  }
}

Function Set-ETS6Value($Undo, [string]$Path, [string]$Name, [string]$Type, $Data, [string]$Restrict) {
  $Data = ConvertTo-ETS6Value $Type $Data
  $key = Open-ETS6Key $Path -Write
  if ($null -eq $key) {
    if (-not $Type) { return }
    for ($above = $Path; $null -eq $key; $key = Open-ETS6Key $above) {
      $made = $above
      $above = $above.Substring(0, $above.LastIndexOf('\'))
    }
    $key.Dispose()
    Save-ETS6Value -Undo $Undo -Path $Path -Name $Name -Made $made
  }
  else {
    Save-ETS6Value -Undo $Undo -Key $key -Path $Path -Name $Name
    $key.Dispose()
  }
  if ($Restrict -and $Type) { Protect-ETS6Key -Above $Restrict -Path $Path }
  $key = Open-ETS6Key $Path -Create
  try {
    if ($Type) { $key.SetValue($Name, $Data, [Microsoft.Win32.RegistryValueKind]$Kinds[$Type]) }
    else { $key.DeleteValue($Name, $false) }
  }
  finally { $key.Dispose() }
}

Function Restore-ETS6Value($Before) {
  $path = $Before.path
  $key = Open-ETS6Key $path -Write
  if ($null -ne $key) {
    try {
      if ($null -ne $Before.kind) { $key.SetValue($Before.name, $Before.data, $Before.kind) }
      else { $key.DeleteValue($Before.name, $false) }
    }
    finally { $key.Dispose() }
  }
  while ($Before.made) {
    $slash = $path.LastIndexOf('\')
    $key = Open-ETS6Key $path
    if ($null -ne $key) {
      $used = $key.ValueCount + $key.SubKeyCount
      $key.Dispose()
      if ($used) { return }
      $key = Open-ETS6Key $path.Substring(0, $slash) -Write
      try { $key.DeleteSubKey($path.Substring($slash + 1), $false) }
      finally { $key.Dispose() }
    }
    if ($path -eq $Before.made) { return }
    $path = $path.Substring(0, $slash)
  }
}

Function Set-ETS6WinHttpProxy($Undo, [string]$Server, [string]$Bypass) {
  foreach ($root in 'Software', 'SOFTWARE\WOW6432Node') {
    $path = "HKLM\$root$($Internet.Substring(8))\Connections"
    $key = Open-ETS6Key $path
    try { Save-ETS6Value -Undo $Undo -Key $key -Path $path -Name WinHttpSettings }
    finally { if ($key) { $key.Dispose() } }
  }
  $words = @('winhttp', 'reset', 'proxy')
  if ($Server) { $words = @('winhttp', 'set', 'proxy', "proxy-server=$Server") + @(if ($Bypass) { "bypass-list=$Bypass" }) }
  $code = Invoke-ETS6Program netsh.exe $words
  if ($code) { throw "netsh $($words[0..2] -join ' ') failed with exit code $code" }
}

# Quicker than Get-NetFirewallRule, and the id is not a pattern.
Function Test-ETS6Rule([string]$Id) {
  $key = Open-ETS6Key $LocalRules
  if ($null -eq $key) { return $false }
  try { @($key.GetValueNames()) -contains $Id }
  finally { $key.Dispose() }
}

# Replaces a rule, since its group cannot be changed. The new one first gets a second id: nothing is lost if Windows refuses it.
Function Set-ETS6Rule($Rule) {
  $new = @{
    DisplayName = $Rule.display_name; Description = $Rule.description; Group = $Rule.group; Program = $Rule.program
    Direction = $Rule.direction; Protocol = $Rule.protocol; Profile = @($Rule.profiles) -join ', '; Action = 'Allow'; Enabled = 'True'
  }
  if ($Rule['remote_addresses']) { $new.RemoteAddress = [string[]]$Rule.remote_addresses }
  $second = "$($Rule.id)-new"
  # A run that was killed may have left it.
  Remove-ETS6Rule $second
  if (Test-ETS6Rule $Rule.id) {
    $null = New-NetFirewallRule @new -Name $second -ErrorAction Stop
    try { Remove-ETS6Rule $Rule.id }
    catch {
      Remove-ETS6Rule $second
      throw
    }
  }
  $null = New-NetFirewallRule @new -Name $Rule.id -ErrorAction Stop
  Remove-ETS6Rule $second
}

Function Remove-ETS6Rule([string]$Id) {
  # Without a name Remove-NetFirewallRule removes every local rule. A name is a pattern.
  if (-not $Id) { throw 'the rule to remove has no id' }
  # 5.1's own Escape leaves out the backtick.
  if (Test-ETS6Rule $Id) { Remove-NetFirewallRule -Name ($Id -replace '[][*?`]', '`$0') -ErrorAction Stop }
}

Function Get-ETS6Request($Argument) {
  $request = @{}
  foreach ($name in $Options) { $request[$name] = @(if ($null -ne $Argument[$name]) { $Argument[$name] }) }
  foreach ($entry in $Argument.GetEnumerator()) {
    if ($entry.Key -notlike '_ansible_*' -and $Options -notcontains $entry.Key) {
      throw "windows_host has no option $($entry.Key). It has $($Options -join ', ')."
    }
  }
  foreach ($name in 'registry', 'user_registry') {
    $request[$name] = @(foreach ($key in $request[$name]) {
        if ($key -isnot [Collections.IDictionary] -or -not $key['path']) { throw "${name}: each entry needs a path." }
        @{ path = [string]$key.path; depth = [int]$key['depth']; values = $key['values'] }
      })
  }
  $request.probe_timeout = if ($request.probe_timeout) { [int]$request.probe_timeout[0] } else { 10 }
  $request
}

Function Invoke-ETS6Request($Argument) {
  $request = Get-ETS6Request $Argument
  $states = @()
  $loaded = $null
  if ($request.operations) {
    try { $states = Invoke-ETS6Plan $request.operations ([bool]$Argument['_ansible_check_mode']) }
    finally { $loaded = Dismount-ETS6Hive }
  }
  $snapshot = Get-ETS6Snapshot $request
  if ($loaded) { $snapshot.errors['hives'] = $loaded -join ' ' }
  @{
    changed = [bool]@($states | Where-Object { $_.state -eq 'done' })
    operations = $states
    snapshot = Compress-ETS6Text (ConvertTo-ETS6Json $snapshot)
  }
}

Export-ModuleMember -Function ConvertTo-ETS6Json, Invoke-ETS6Request
