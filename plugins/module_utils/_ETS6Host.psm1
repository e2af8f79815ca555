# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# What windows_host does on a PC: read what it is asked for, probe, change what it is given, and read again. It decides
# nothing. No C#, no compiler, and nothing that a virus scanner could take for an attack. Windows PowerShell 5.1 and PowerShell 7.

$script:Mounts = @{}
$script:UserSid = '^S-1-(5-21|12-1)-[0-9-]+$'
$script:ProfileList = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList'
$script:WinHttpKeys = @(
    'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
    'HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Internet Settings\Connections'
)
$script:Kinds = @{
    String = 'REG_SZ'; ExpandString = 'REG_EXPAND_SZ'; MultiString = 'REG_MULTI_SZ'; DWord = 'REG_DWORD'; QWord = 'REG_QWORD'
    Binary = 'REG_BINARY'; None = 'REG_NONE'; Unknown = 'REG_UNKNOWN'
}

#region JSON and compression

Function ConvertTo-AnsibleETS6Json {
    <#
    .SYNOPSIS
    Writes JSON, the same in every PowerShell.
    .DESCRIPTION
    ConvertTo-Json of 5.1 is slow with thousands of rules and writes a wrapped array as an object.
    #>
    [OutputType([string])]
    param ([Parameter(Mandatory)][AllowNull()][AllowEmptyString()][AllowEmptyCollection()][object]$InputObject)

    $text = [System.Text.StringBuilder]::new()
    Add-ETS6Json -Text $text -Value $InputObject
    $text.ToString()
}

Function Add-ETS6Json {
    param ([System.Text.StringBuilder]$Text, [AllowNull()][object]$Value)

    if ($null -eq $Value) { $null = $Text.Append('null') }
    elseif ($Value -is [string]) {
        $safe = $Value.Replace('\', '\\').Replace('"', '\"')
        if ($safe -match '[\x00-\x1f\ud800-\udfff]') {
            $safe = [regex]::Replace($safe, '[\x00-\x1f\ud800-\udfff]', { param ($found) '\u{0:x4}' -f [int][char]$found.Value })
        }
        $null = $Text.Append('"').Append($safe).Append('"')
    }
    elseif ($Value -is [bool]) { $null = $Text.Append($Value.ToString().ToLowerInvariant()) }
    elseif ($Value -is [System.Collections.IDictionary]) {
        $null = $Text.Append('{')
        $between = ''
        # Not .Keys: of a dictionary that has such a key, PowerShell gives its value.
        foreach ($entry in $Value.GetEnumerator()) {
            $null = $Text.Append($between)
            Add-ETS6Json -Text $Text -Value ([string]$entry.Key)
            $null = $Text.Append(':')
            Add-ETS6Json -Text $Text -Value $entry.Value
            $between = ','
        }
        $null = $Text.Append('}')
    }
    elseif ($Value -is [System.Collections.IEnumerable]) {
        $null = $Text.Append('[')
        $between = ''
        foreach ($item in $Value) {
            $null = $Text.Append($between)
            Add-ETS6Json -Text $Text -Value $item
            $between = ','
        }
        $null = $Text.Append(']')
    }
    elseif ($Value -is [ValueType] -and $Value -isnot [enum] -and $Value -isnot [char]) {
        $null = $Text.Append([string]::Format([System.Globalization.CultureInfo]::InvariantCulture, '{0}', $Value))
    }
    else { Add-ETS6Json -Text $Text -Value ([string]$Value) }
}

Function Compress-ETS6Text {
    param ([string]$Text)

    $bytes = [System.Text.UTF8Encoding]::new($false).GetBytes($Text)
    $packed = [System.IO.MemoryStream]::new()
    $gzip = [System.IO.Compression.GZipStream]::new($packed, [System.IO.Compression.CompressionMode]::Compress)
    $gzip.Write($bytes, 0, $bytes.Length)
    $gzip.Dispose()
    [Convert]::ToBase64String($packed.ToArray())
}

#endregion
#region Registry

Function Open-ETS6Key {
    <#
    .SYNOPSIS
    Opens HKLM\... or HKU\<sid>\... in the 64-bit view; gives nothing where it is missing, throws where it is denied.
    #>
    param ([string]$Path, [switch]$Write, [switch]$Create)

    $root, $below = $Path -split '\\', 2
    if ($root -eq 'HKU') {
        $sid, $rest = $below -split '\\', 2
        if ($script:Mounts.ContainsKey($sid)) { $below = $script:Mounts[$sid] + '\' + $rest }
    }
    $hive = switch ($root) {
        'HKLM' { [Microsoft.Win32.RegistryHive]::LocalMachine }
        'HKU' { [Microsoft.Win32.RegistryHive]::Users }
        default { throw "${Path}: only HKLM and HKU are known" }
    }
    $base = [Microsoft.Win32.RegistryKey]::OpenBaseKey($hive, [Microsoft.Win32.RegistryView]::Registry64)
    try {
        if ($Create) { $base.CreateSubKey($below.TrimEnd('\')) }
        else { $base.OpenSubKey($below.TrimEnd('\'), [bool]$Write) }
    }
    finally { $base.Dispose() }
}

Function ConvertFrom-ETS6Value {
    <#
    .SYNOPSIS
    Turns a value of .NET into [type, data], numbers unsigned, bytes as base64.
    #>
    param ([string]$Kind, [AllowNull()][object]$Data)

    $type = $script:Kinds[$Kind]
    switch ($Kind) {
        'DWord' { $Data = [BitConverter]::ToUInt32([BitConverter]::GetBytes([int]$Data), 0) }
        'QWord' { $Data = [BitConverter]::ToUInt64([BitConverter]::GetBytes([long]$Data), 0) }
        'MultiString' { $Data = [string[]]@($Data) }
        { $_ -in 'String', 'ExpandString' } { $Data = [string]$Data }
        default { $Data = [Convert]::ToBase64String([byte[]]@($Data | Where-Object { $null -ne $_ })) }
    }
    , @($type, $Data)
}

Function Read-ETS6Key {
    <#
    .SYNOPSIS
    Reads a key and, down to a depth, those below it, into the dictionary: present, missing and unreadable are three things.
    #>
    param ([System.Collections.IDictionary]$Into, [string]$Path, [int]$Depth)

    try {
        $key = Open-ETS6Key -Path $Path
        if ($null -eq $key) {
            $Into[$Path] = @{ state = 'missing' }
            return
        }
        try {
            $values = [ordered]@{}
            foreach ($name in $key.GetValueNames()) {
                $data = $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
                $values[$name] = ConvertFrom-ETS6Value -Kind $key.GetValueKind($name).ToString() -Data $data
            }
            $below = @($key.GetSubKeyNames())
        }
        finally { $key.Dispose() }
        $Into[$Path] = @{ state = 'present'; values = $values; keys = $below }
    }
    catch {
        $Into[$Path] = @{ state = 'unreadable'; error = $_.Exception.Message }
        return
    }
    if ($Depth -gt 0) {
        foreach ($name in $below) { Read-ETS6Key -Into $Into -Path "$Path\$name" -Depth ($Depth - 1) }
    }
}

Function Mount-ETS6Hive {
    <#
    .SYNOPSIS
    Makes a user's hive readable under HKU\<sid>; says whether it was loaded for that and has to be unloaded again.
    #>
    param ([string]$Sid, [string]$ProfilePath)

    if ($Sid -ne 'default') {
        $loaded = Open-ETS6Key -Path "HKU\$Sid"
        if ($null -ne $loaded) {
            $loaded.Dispose()
            return $false
        }
    }
    $null = reg.exe load "HKU\ETS6-$Sid" "$ProfilePath\NTUSER.DAT" 2>&1
    if ($LASTEXITCODE -ne 0) { throw "reg load of $ProfilePath\NTUSER.DAT ended with exit code $LASTEXITCODE" }
    $script:Mounts[$Sid] = "ETS6-$Sid"
    $true
}

Function Dismount-ETS6Hive {
    param ([string]$Sid)

    $script:Mounts.Remove($Sid)
    # A key that waits for the garbage collector holds the hive.
    [GC]::Collect()
    [GC]::WaitForPendingFinalizers()
    $null = reg.exe unload "HKU\ETS6-$Sid" 2>&1
    if ($LASTEXITCODE -ne 0) { throw "reg unload of HKU\ETS6-$Sid ended with exit code $LASTEXITCODE" }
}

#endregion
#region What is on the PC

Function Get-ETS6Section {
    <#
    .SYNOPSIS
    Runs one part of the reading; where it fails the part is null and the reason stands in errors.
    #>
    param ([System.Collections.IDictionary]$Snapshot, [string]$Name, [scriptblock]$Script)

    $Snapshot[$Name] = $null
    try { $Snapshot[$Name] = & $Script }
    catch { $Snapshot.errors[$Name] = $_.Exception.Message }
}

Function Get-ETS6Host {
    $windows = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    $found = @{}
    Read-ETS6Key -Into $found -Path $windows -Depth 0
    $values = $found[$windows]['values']
    $build = if ($null -ne $values -and $values.Contains('CurrentBuildNumber')) { $values['CurrentBuildNumber'][1] } else { '' }
    @{
        name = $env:COMPUTERNAME
        os = "10.0.$build"
        powershell = $PSVersionTable.PSVersion.ToString()
        time = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture)
    }
}

Function Get-ETS6Environment {
    $found = @{}
    foreach ($entry in [Environment]::GetEnvironmentVariables().GetEnumerator()) {
        # Only what paths need, and whether a proxy is named: the rest is nobody's business, a proxy's login least of all.
        if ($entry.Key -match '^(ProgramFiles|ProgramFiles\(x86\)|ProgramW6432|ProgramData|SystemRoot|SystemDrive|windir|CommonProgramFiles|CommonProgramFiles\(x86\)|PUBLIC|ALLUSERSPROFILE)$') {
            $found[$entry.Key] = [string]$entry.Value
        }
        elseif ($entry.Key -match '^(HTTP|HTTPS|ALL|NO)_PROXY$') { $found[$entry.Key] = 'set' }
    }
    $found
}

Function Get-ETS6User {
    <#
    .SYNOPSIS
    Lists who could run ETS6, and reads the asked keys of each hive into the registry; a hive that is not loaded is, for the reading only.
    #>
    param ([System.Collections.IDictionary]$Registry, [object[]]$Keys)

    $list = @{}
    Read-ETS6Key -Into $list -Path $script:ProfileList -Depth 1
    if ($list[$script:ProfileList].state -ne 'present') { throw "$($script:ProfileList) is $($list[$script:ProfileList].state)" }
    $desktops = @(Get-CimInstance -ClassName Win32_Process -Filter "Name='explorer.exe'" | ForEach-Object {
            (Invoke-CimMethod -InputObject $_ -MethodName GetOwnerSid).Sid
        })
    $people = @(foreach ($sid in $list[$script:ProfileList].keys) {
            $entry = $list["$($script:ProfileList)\$sid"]
            if ($sid -match $script:UserSid -and $entry.state -eq 'present' -and $entry.values.Contains('ProfileImagePath')) {
                @{ sid = $sid; profile = [Environment]::ExpandEnvironmentVariables($entry.values['ProfileImagePath'][1]) }
            }
        })
    if ($list[$script:ProfileList].values.Contains('Default')) {
        $people += @{ sid = 'default'; profile = [Environment]::ExpandEnvironmentVariables($list[$script:ProfileList].values['Default'][1]) }
    }
    $users = foreach ($person in $people) {
        $sid = $person.sid
        $user = @{ sid = $sid; name = ''; profile = $person.profile; hive = 'unavailable'; logged_on = $desktops -contains $sid; error = '' }
        if ($sid -ne 'default') { $user.name = ($person.profile -split '\\')[-1] }
        if ($Keys) {
            try {
                $mounted = Mount-ETS6Hive -Sid $sid -ProfilePath $person.profile
                try {
                    foreach ($key in $Keys) { Read-ETS6Key -Into $Registry -Path "HKU\$sid\$($key.path)" -Depth $key.depth }
                    $user.hive = if ($mounted) { 'file' } else { 'loaded' }
                }
                finally { if ($mounted) { Dismount-ETS6Hive -Sid $sid } }
            }
            catch { $user.error = $_.Exception.Message }
        }
        $user
    }
    , @($users)
}

Function Get-ETS6File {
    <#
    .SYNOPSIS
    Looks files up: those that were asked for, and those that a registry value which was read names.
    #>
    param ([object[]]$Paths, [object[]]$Names, [System.Collections.IDictionary]$Registry)

    $drives = $null
    $wanted = [ordered]@{}
    foreach ($path in $Paths) {
        if ($path.StartsWith('*:\')) {
            if ($null -eq $drives) { $drives = @(Get-CimInstance -ClassName Win32_LogicalDisk -Filter 'DriveType=3' | ForEach-Object { $_.DeviceID }) }
            foreach ($drive in $drives) { $wanted[$drive + $path.Substring(2)] = $true }
        }
        else { $wanted[[Environment]::ExpandEnvironmentVariables($path)] = $true }
    }
    if ($Names) {
        $pattern = '(?:^|[=|"])([^=|"]*\\(?:' + (@($Names | ForEach-Object { [regex]::Escape($_) }) -join '|') + '))(?=$|[|"])'
        $named = [regex]::new($pattern, [System.Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')
        foreach ($read in $Registry.GetEnumerator()) {
            $key = $read.Value
            if ($key.state -ne 'present') { continue }
            foreach ($entry in $key.values.GetEnumerator()) {
                $value = $entry.Value
                if ($value[0] -in 'REG_SZ', 'REG_EXPAND_SZ') {
                    foreach ($found in $named.Matches($value[1])) { $wanted[[Environment]::ExpandEnvironmentVariables($found.Groups[1].Value)] = $true }
                }
            }
        }
    }
    $files = foreach ($path in $wanted.Keys) {
        $file = @{ path = $path; state = 'missing'; version = ''; size = 0; error = '' }
        try {
            $item = Get-Item -LiteralPath $path -Force -ErrorAction Stop
            $version = $item.VersionInfo
            $file.state = 'present'
            $file.size = $item.Length
            $file.version = '{0}.{1}.{2}.{3}' -f $version.FileMajorPart, $version.FileMinorPart, $version.FileBuildPart, $version.FilePrivatePart
        }
        catch [System.Management.Automation.ItemNotFoundException], [System.Management.Automation.DriveNotFoundException] { $file.state = 'missing' }
        catch {
            $file.state = 'unreadable'
            $file.error = $_.Exception.Message
        }
        $file
    }
    , @($files)
}

Function Get-ETS6Network {
    <#
    .SYNOPSIS
    Gives the network profiles that are active now.
    #>
    $types = (New-Object -ComObject HNetCfg.FwPolicy2).CurrentProfileTypes
    , @(foreach ($one in @(1, 'domain'), @(2, 'private'), @(4, 'public')) { if ($types -band $one[0]) { $one[1] } })
}

Function Get-ETS6Service {
    $found = @{}
    foreach ($service in Get-Service -Name MpsSvc, BFE -ErrorAction SilentlyContinue) { $found[$service.Name] = $service.Status.ToString() }
    $found
}

Function Get-ETS6FirewallProduct {
    <#
    .SYNOPSIS
    Lists the firewalls that are registered with Windows Security Center, which Windows Server does not have.
    #>
    try { $products = @(Get-CimInstance -Namespace root/SecurityCenter2 -ClassName FirewallProduct) }
    catch {
        if ($_.FullyQualifiedErrorId -like 'HRESULT 0x8004100e*') { return , @() }
        throw
    }
    , @($products | ForEach-Object {
            # Bits 12 to 15 of productState: 1 on, 0 off. Microsoft does not document them; anything else is not decoded.
            $state = ([long]$_.productState -shr 12) -band 15
            @{ name = [string]$_.displayName; enabled = $(if ($state -eq 1) { $true } elseif ($state -eq 0) { $false } else { $null }) }
        })
}

Function Get-ETS6Snapshot {
    <#
    .SYNOPSIS
    Reads everything that is asked for.
    #>
    param ([System.Collections.IDictionary]$Asked)

    $registry = [ordered]@{}
    $snapshot = [ordered]@{ version = 1; offline = $false; registry = $registry; errors = @{} }
    foreach ($key in $Asked.registry) { Read-ETS6Key -Into $registry -Path $key.path -Depth $key.depth }
    Get-ETS6Section -Snapshot $snapshot -Name host -Script { Get-ETS6Host }
    Get-ETS6Section -Snapshot $snapshot -Name environment -Script { Get-ETS6Environment }
    Get-ETS6Section -Snapshot $snapshot -Name users -Script { Get-ETS6User -Registry $registry -Keys $Asked.user_registry }
    Get-ETS6Section -Snapshot $snapshot -Name files -Script { Get-ETS6File -Paths $Asked.files -Names $Asked.named_files -Registry $registry }
    Get-ETS6Section -Snapshot $snapshot -Name network -Script { Get-ETS6Network }
    Get-ETS6Section -Snapshot $snapshot -Name services -Script { Get-ETS6Service }
    Get-ETS6Section -Snapshot $snapshot -Name firewall_products -Script { Get-ETS6FirewallProduct }
    Get-ETS6Section -Snapshot $snapshot -Name probes -Script {
        Invoke-ETS6Probe -Probes (Resolve-ETS6Way -Probes $Asked.probes -Snapshot $snapshot) -Seconds $Asked.probe_timeout
    }
    foreach ($name in 'host', 'environment') { if ($null -eq $snapshot[$name]) { $snapshot[$name] = @{} } }
    if ($null -eq $snapshot.files) { $snapshot.files = @() }
    $snapshot
}

#endregion
#region Ways out

Function Get-ETS6ProxySetting {
    <#
    .SYNOPSIS
    Reads the flags, the proxy and the bypass list from WinINET's blob of one Internet Settings key.
    #>
    param ([System.Collections.IDictionary]$Registry, [string]$Path)

    $key = $Registry["$Path\Connections"]
    if ($null -eq $key -or $key.state -ne 'present' -or -not $key.values.Contains('DefaultConnectionSettings')) { return @{ flags = 0; proxy = ''; bypass = '' } }
    $blob = [Convert]::FromBase64String($key.values['DefaultConnectionSettings'][1])
    $ansi = [System.Text.Encoding]::GetEncoding(28591)
    $flags = [BitConverter]::ToUInt32($blob, 8)
    $length = [BitConverter]::ToInt32($blob, 12)
    $proxy = $ansi.GetString($blob, 16, $length)
    $bypass = $ansi.GetString($blob, 20 + $length, [BitConverter]::ToInt32($blob, 16 + $length))
    @{ flags = $flags; proxy = $proxy; bypass = $bypass }
}

Function Resolve-ETS6Way {
    <#
    .SYNOPSIS
    Gives every probe the distinct ways out that the PC's users have for it, as .NET Framework takes them.
    .DESCRIPTION
    This saves an execution and judges nothing: the controller works the ways out by itself, and asks again where one is missing.
    Scripts are left to it, too.
    #>
    param ([object[]]$Probes, [System.Collections.IDictionary]$Snapshot)

    $registry = $Snapshot.registry
    $below = 'Software\Microsoft\Windows\CurrentVersion\Internet Settings'
    $policy = $registry['HKLM\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings']
    $machine = $null -ne $policy -and $policy.state -eq 'present' -and $policy.values.Contains('ProxySettingsPerUser') -and $policy.values['ProxySettingsPerUser'][1] -eq 0
    $readable = @($Snapshot.users | Where-Object { $null -ne $_ -and $_.hive -ne 'unavailable' })
    $people = @($readable | Where-Object { $_.sid -ne 'default' })
    $here = @($people | Where-Object { $_.logged_on })
    $chosen = if ($here) { $here } elseif ($people) { $people } else { $readable }
    $paths = if ($machine) { @("HKLM\$below") } else { @($chosen | ForEach-Object { "HKU\$($_.sid)\$below" }) }
    $settings = @(foreach ($path in $paths) {
            try { Get-ETS6ProxySetting -Registry $registry -Path $path }
            catch { continue }
        })
    , @(foreach ($probe in $Probes) {
            $probe = @{ name = $probe.name; url = $probe.url; address = $probe.address; ways = $probe['ways'] }
            if ($null -eq $probe.ways) {
                $uri = [Uri]$probe.url
                $probe.ways = @(foreach ($setting in $settings) {
                        if ($setting.flags -band 4) { continue }
                        if (-not ($setting.flags -band 2)) { ''; continue }
                        Select-ETS6Proxy -Setting $setting -Uri $uri
                    }) | Select-Object -Unique
            }
            $probe
        })
}

Function Select-ETS6Proxy {
    <#
    .SYNOPSIS
    Gives host:port of the proxy for a URL, or an empty string where it is reached directly.
    #>
    param ([System.Collections.IDictionary]$Setting, [Uri]$Uri)

    foreach ($entry in $Setting.bypass -split '[;\s]+') {
        if ($entry -eq '<local>') {
            if ($Uri.Host -notmatch '[.:]') { return '' }
            continue
        }
        if ($entry -notmatch '^(?:([a-z]+)://)?(\[[^\]]*\]|[^:]*)(?::(\d+))?$' -or -not $entry) { continue }
        $scheme, $name, $port = $Matches[1], $Matches[2], $Matches[3]
        if (($scheme -and $scheme -ne $Uri.Scheme) -or ($port -and [int]$port -ne $Uri.Port)) { continue }
        if ($Uri.Host -match ('^' + [regex]::Escape($name).Replace('\*', '.*') + '$')) { return '' }
    }
    $single = ''
    foreach ($part in $Setting.proxy -split '[;\s]+') {
        $protocol, $address = if ($part.Contains('=')) { $part -split '=', 2 } else { '', $part }
        $address = ($address.ToLowerInvariant() -replace '^[a-z]+://').TrimEnd('/')
        if (-not $address) { continue }
        if ($address -notmatch ':\d+$') { $address += ':80' }
        if ($protocol -eq $Uri.Scheme) { return $address }
        if (-not $protocol -and -not $single) { $single = $address }
    }
    $single
}

#endregion
#region Probes

# One probe over one way, in a runspace of its own: plain synchronous calls. What it finds it puts into $Found at once, so that
# the watchdog can close its socket and still report how far it came.
$script:ProbeScript = {
    param ($Probe, $Found, $Until)

    $ErrorActionPreference = 'Stop'
    $agent = 'ets6.network-probe'

    function Get-Left([int]$Most) {
        $left = [int][Math]::Min($Most, ($Until - [DateTime]::UtcNow).TotalMilliseconds)
        if ($left -lt 1) { throw [TimeoutException]::new('the time for all probes was over') }
        $left
    }

    function Read-Answer($Stream, [int]$Cap, [bool]$ToTheEnd) {
        $raw = [System.IO.MemoryStream]::new()
        $buffer = [byte[]]::new(16384)
        $ansi = [System.Text.Encoding]::GetEncoding(28591)
        $end = -1
        while ($end -lt 0) {
            if ($raw.Length -gt 16384) { throw [InvalidOperationException]::new('the answer has too long a head') }
            $Stream.ReadTimeout = Get-Left 8000
            $count = $Stream.Read($buffer, 0, $buffer.Length)
            if ($count -eq 0) { throw [System.IO.EndOfStreamException]::new('the connection was closed before an answer') }
            $raw.Write($buffer, 0, $count)
            $end = $ansi.GetString($raw.ToArray()).IndexOf("`r`n`r`n")
        }
        $lines = $ansi.GetString($raw.ToArray(), 0, $end) -split "`r`n"
        if ($lines[0] -notmatch '^HTTP/\S+ (\d{3})(?: |$)') { throw [InvalidOperationException]::new('the answer is not HTTP') }
        $status = [int]$Matches[1]
        $headers = [System.Collections.Generic.List[object]]::new()
        $length = -1
        foreach ($line in @($lines | Select-Object -Skip 1)) {
            $name, $value = $line -split ':', 2
            if ($null -eq $value) { continue }
            $headers.Add(@($name.Trim(), $value.Trim()))
            if ($name.Trim() -eq 'Content-Length' -and $value.Trim() -match '^\d{1,9}$') { $length = [int]$value.Trim() }
        }
        if ($ToTheEnd -or $status -lt 200 -or $status -ge 300) {
            $most = $end + 4 + $(if ($length -ge 0) { [Math]::Min($Cap, $length) } else { $Cap })
            try {
                while ($raw.Length -lt $most) {
                    $Stream.ReadTimeout = Get-Left 8000
                    $count = $Stream.Read($buffer, 0, $buffer.Length)
                    if ($count -eq 0) { break }
                    $raw.Write($buffer, 0, $count)
                }
            }
            catch { $Found.cut = $true }
        }
        $all = $raw.ToArray()
        $size = [Math]::Min($Cap, $all.Length - $end - 4)
        @{ status = $status; headers = $headers.ToArray(); body = [Convert]::ToBase64String($all, $end + 4, $size) }
    }

    function Set-Elapsed([string]$Stage) {
        $Found.elapsed[$Stage] = [int]$Found.clock.ElapsedMilliseconds
        $Found.clock.Restart()
    }

    try {
        $uri = [Uri]$Probe.url
        $secure = $uri.Scheme -eq 'https'
        $target = if ($Probe.way) { $Probe.way } elseif ($Probe.address) { $Probe.address } else { "$($uri.Host):$($uri.Port)" }
        $colon = $target.LastIndexOf(':')
        $name, $port = $target.Substring(0, $colon).Trim('[', ']'), [int]$target.Substring($colon + 1)

        $addresses = [System.Net.Dns]::GetHostAddresses($name)
        $Found.addresses = @($addresses | ForEach-Object { $_.ToString() })
        Set-Elapsed dns

        $Found.stage = 'tcp'
        $failure = $null
        $client = $null
        foreach ($address in $addresses) {
            # TcpClient without a family is IPv4 only.
            $client = [System.Net.Sockets.TcpClient]::new($address.AddressFamily)
            $Found.client = $client
            $Found.address = $address.ToString()
            try {
                $wait = $client.BeginConnect($address, $port, $null, $null)
                if (-not $wait.AsyncWaitHandle.WaitOne((Get-Left 5000))) { throw [TimeoutException]::new('no answer in time') }
                $client.EndConnect($wait)
                $failure = $null
                break
            }
            catch {
                $failure = $_
                $client.Close()
            }
        }
        if ($failure) { throw $failure }
        Set-Elapsed tcp
        $client.NoDelay = $true
        $stream = $client.GetStream()
        $stream.WriteTimeout = 8000
        $ascii = [System.Text.Encoding]::ASCII

        if ($Probe.way -and $secure) {
            $Found.stage = 'connect'
            $request = $ascii.GetBytes("CONNECT $($uri.Host):$($uri.Port) HTTP/1.1`r`nHost: $($uri.Host):$($uri.Port)`r`nUser-Agent: $agent`r`n`r`n")
            $stream.Write($request, 0, $request.Length)
            $Found.connect = Read-Answer $stream 16384 $false
            Set-Elapsed connect
            if ($Found.connect.status -lt 200 -or $Found.connect.status -ge 300) {
                $Found.error = @{ kind = 'other'; code = $Found.connect.status; text = 'the proxy refused' }
                return
            }
        }
        if ($secure) {
            $Found.stage = 'tls'
            $seen = @{ errors = ''; presented = @(); built = @(); status = @() }
            # The callback only runs in a synchronous handshake: an asynchronous one has no runspace for it.
            $callback = [System.Net.Security.RemoteCertificateValidationCallback] {
                param ($From, $Certificate, $Chain, $PolicyErrors)
                $null = $From
                $seen.errors = $PolicyErrors.ToString()
                $others = @($Chain.ChainPolicy.ExtraStore | ForEach-Object { [Convert]::ToBase64String($_.RawData) })
                $leaf = [Convert]::ToBase64String($Certificate.GetRawCertData())
                $seen.presented = @($leaf) + @($others | Where-Object { $_ -ne $leaf })
                $seen.built = @($Chain.ChainElements | ForEach-Object { [Convert]::ToBase64String($_.Certificate.RawData) })
                $seen.status = @($Chain.ChainStatus | ForEach-Object { $_.Status.ToString() })
                $true
            }
            $secured = [System.Net.Security.SslStream]::new($stream, $false, $callback)
            $stream.ReadTimeout = Get-Left 8000
            try { $secured.AuthenticateAsClient($uri.Host, $null, [System.Security.Authentication.SslProtocols]::None, $false) }
            catch [ArgumentException] {
                # The system's choice of protocols is switched off on this PC.
                $secured.AuthenticateAsClient($uri.Host, $null, [System.Security.Authentication.SslProtocols]::Tls12, $false)
            }
            $Found.tls = @{
                protocol = $secured.SslProtocol.ToString()
                policy_errors = @($seen.errors -split ',\s*' | Where-Object { $_ -and $_ -ne 'None' })
                presented = $seen.presented
                built = $seen.built
                chain_status = $seen.status
            }
            Set-Elapsed tls
            $stream = $secured
        }
        $Found.stage = 'http'
        $path = if ($Probe.way -and -not $secure) { "http://$($uri.Host):$($uri.Port)$($uri.PathAndQuery)" } else { $uri.PathAndQuery }
        $request = $ascii.GetBytes("GET $path HTTP/1.1`r`nHost: $($uri.Authority)`r`nUser-Agent: $agent`r`nAccept: */*`r`nConnection: close`r`n`r`n")
        $stream.Write($request, 0, $request.Length)
        $Found.http = Read-Answer $stream 65536 $true
        Set-Elapsed http
        $Found.stage = 'done'
    }
    catch {
        # Errors are told apart by types and numbers; their texts are in the PC's language.
        $kind, $code = 'other', $null
        for ($inner = $_.Exception; $inner; $inner = $inner.InnerException) {
            if ($inner -is [System.Net.Sockets.SocketException]) {
                $code = [int]$inner.SocketErrorCode
                $kind = switch ($code) {
                    10061 { 'refused' } 10054 { 'reset' } 10053 { 'reset' } 10060 { 'timeout' } 10051 { 'unreachable' } 10065 { 'unreachable' }
                    11001 { 'not_found' } 11004 { 'not_found' } 11002 { 'try_again' } default { 'other' }
                }
                break
            }
            if ($inner -is [TimeoutException]) { $kind = 'timeout'; break }
            if ($inner -is [System.IO.EndOfStreamException]) { $kind = 'closed'; break }
            if ($inner -is [System.Security.Authentication.AuthenticationException]) {
                $kind = if ($inner.InnerException) { 'tls_alert' } else { 'plain_http' }
                break
            }
            if ($inner -is [System.IO.IOException] -and -not $inner.InnerException) { $kind = 'closed' }
        }
        $Found.error = @{ kind = $kind; code = $code; text = [string]$_.Exception.Message }
    }
    finally { if ($Found.client) { $Found.client.Close() } }
}

Function Invoke-ETS6Probe {
    <#
    .SYNOPSIS
    Runs every probe over each of its ways side by side; after the given seconds what is left is cut off and reported as timed out.
    #>
    param ([AllowEmptyCollection()][object[]]$Probes, [int]$Seconds)

    if (-not $Probes) { return , @() }
    $until = [DateTime]::UtcNow.AddSeconds($Seconds)
    $pool = [runspacefactory]::CreateRunspacePool(1, 16)
    $pool.Open()
    $running = @(foreach ($probe in $Probes) {
            foreach ($way in $probe.ways) {
                $found = [hashtable]::Synchronized(@{
                        name = $probe.name; way = $way; stage = 'dns'; error = $null; addresses = @(); address = $null
                        elapsed = @{}; connect = $null; tls = $null; http = $null; client = $null; clock = [Diagnostics.Stopwatch]::StartNew(); cut = $false
                    })
                $shell = [powershell]::Create()
                $shell.RunspacePool = $pool
                $single = @{ url = $probe.url; address = $probe.address; way = $way }
                $null = $shell.AddScript($script:ProbeScript.ToString()).AddArgument($single).AddArgument($found).AddArgument($until)
                @{ shell = $shell; found = $found; handle = $shell.BeginInvoke() }
            }
        })
    foreach ($one in $running) {
        $left = [int][Math]::Max(0, ($until - [DateTime]::UtcNow).TotalMilliseconds)
        $null = $one.handle.AsyncWaitHandle.WaitOne($left)
    }
    $results = foreach ($one in $running) {
        $found = $one.found
        $over = -not $one.handle.IsCompleted
        $result = @{}
        foreach ($field in 'name', 'way', 'stage', 'error', 'addresses', 'address', 'elapsed', 'connect', 'tls', 'http') { $result[$field] = $found[$field] }
        if ($over) {
            $result.error = @{ kind = 'timeout'; code = $null; text = 'the time for all probes was over' }
            # Closing the socket ends every call that waits on it; a name that is being resolved cannot be stopped and is left behind.
            if ($found.client) { $found.client.Close() }
        }
        else { $one.shell.Dispose() }
        $result
    }
    if (-not ($running | Where-Object { -not $_.handle.IsCompleted })) { $pool.Dispose() }
    , @($results)
}

#endregion
#region Changes

Function Invoke-ETS6Operation {
    <#
    .SYNOPSIS
    Performs the operations in their order and says of each what became of it.
    .DESCRIPTION
    Where one fails, the earlier ones of its unit are put back, and what comes after it is not done.
    #>
    param ([object[]]$Operations, [bool]$CheckMode)

    $states = @($Operations | ForEach-Object { @{ state = 'not_done'; error = '' } })
    if ($CheckMode) { return , $states }
    $undo = [System.Collections.Generic.List[object]]::new()
    for ($at = 0; $at -lt $Operations.Count; $at++) {
        $step = $Operations[$at]
        try {
            $before = switch ($step.do) {
                'set_registry_value' { Set-ETS6RegistryValue -Path $step.path -Name $step.name -Type $step.type -Data $step.data }
                'remove_registry_value' { Set-ETS6RegistryValue -Path $step.path -Name $step.name }
                'set_winhttp_proxy' { Set-ETS6WinHttpProxy -Server $step.server -Bypass $step.bypass }
                'set_firewall_rule' { Set-ETS6FirewallRule -Rule $step.rule }
                'remove_firewall_rule' { Remove-ETS6FirewallRule -Id $step.id }
                default { throw "$($step.do): there is no such operation" }
            }
            $states[$at].state = 'done'
            foreach ($value in $before) { $undo.Add(@{ at = $at; unit = $step.unit; before = $value }) }
        }
        catch {
            $states[$at].state = 'failed'
            $states[$at].error = "$($_.Exception.Message) [$($_.FullyQualifiedErrorId)]"
            for ($back = $undo.Count - 1; $back -ge 0; $back--) {
                $earlier = $undo[$back]
                if (-not $step['unit'] -or $earlier.unit -ne $step.unit) { continue }
                try {
                    Restore-ETS6RegistryValue -Before $earlier.before
                    $states[$earlier.at].state = 'restored'
                }
                catch { $states[$earlier.at].error = "could not be put back: $($_.Exception.Message)" }
            }
            break
        }
    }
    , $states
}

Function Open-ETS6UserHive {
    <#
    .SYNOPSIS
    Sees to it that the hive which a path needs is there. Gives the SID where it was loaded for that, to be unloaded again.
    #>
    param ([string]$Path)

    if ($Path -notmatch '^HKU\\([^\\]+)') { return }
    $sid = $Matches[1]
    $key, $value = if ($sid -eq 'default') { $script:ProfileList, 'Default' } else { "$($script:ProfileList)\$sid", 'ProfileImagePath' }
    $found = @{}
    Read-ETS6Key -Into $found -Path $key -Depth 0
    if ($found[$key].state -ne 'present' -or -not $found[$key].values.Contains($value)) { throw "${sid}: there is no such profile" }
    if (Mount-ETS6Hive -Sid $sid -ProfilePath ([Environment]::ExpandEnvironmentVariables($found[$key].values[$value][1]))) { $sid }
}

Function Set-ETS6RegistryValue {
    <#
    .SYNOPSIS
    Writes a value, or without a type removes it. Gives what Restore-ETS6RegistryValue needs to put back what was there.
    #>
    param ([string]$Path, [string]$Name, [string]$Type, [AllowNull()][object]$Data)

    $before = @{ path = $Path; name = $Name; kind = $null; data = $null; made = $false }
    $mounted = Open-ETS6UserHive -Path $Path
    try {
        $key = Open-ETS6Key -Path $Path -Write
        if ($null -eq $key) {
            if (-not $Type) { return $before }
            $before.made = $true
            $key = Open-ETS6Key -Path $Path -Create
        }
        try {
            if (@($key.GetValueNames()) -contains $Name) {
                $before.kind = $key.GetValueKind($Name)
                $before.data = $key.GetValue($Name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
            }
            if ($Type) { Write-ETS6Value -Key $key -Name $Name -Type $Type -Data $Data }
            else { $key.DeleteValue($Name, $false) }
        }
        finally { $key.Dispose() }
    }
    finally { if ($mounted) { Dismount-ETS6Hive -Sid $mounted } }
    $before
}

Function Restore-ETS6RegistryValue {
    <#
    .SYNOPSIS
    Puts back what Set-ETS6RegistryValue found, and takes a key away that it made.
    #>
    param ([System.Collections.IDictionary]$Before)

    $path = $Before.path
    $mounted = Open-ETS6UserHive -Path $path
    try {
        $key = Open-ETS6Key -Path $path -Write
        if ($null -eq $key) { return }
        try {
            if ($null -ne $Before.kind) { $key.SetValue($Before.name, $Before.data, $Before.kind) }
            else { $key.DeleteValue($Before.name, $false) }
            $empty = $Before.made -and $key.ValueCount -eq 0 -and $key.SubKeyCount -eq 0
        }
        finally { $key.Dispose() }
        if ($empty) {
            $above = Open-ETS6Key -Path $path.Substring(0, $path.LastIndexOf('\')) -Write
            try { $above.DeleteSubKey($path.Substring($path.LastIndexOf('\') + 1), $false) }
            finally { $above.Dispose() }
        }
    }
    finally { if ($mounted) { Dismount-ETS6Hive -Sid $mounted } }
}

Function Write-ETS6Value {
    param ([object]$Key, [string]$Name, [string]$Type, [object]$Data)

    $kind = @($script:Kinds.Keys | Where-Object { $script:Kinds[$_] -eq $Type })[0]
    if (-not $kind) { throw "${Type}: values of this type are not written" }
    $Data = switch ($kind) {
        'DWord' { [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]$Data), 0) }
        'QWord' { [BitConverter]::ToInt64([BitConverter]::GetBytes([uint64]$Data), 0) }
        'MultiString' { , [string[]]@($Data) }
        { $_ -in 'String', 'ExpandString' } { [string]$Data }
        default { , [Convert]::FromBase64String($Data) }
    }
    $Key.SetValue($Name, $Data, [Microsoft.Win32.RegistryValueKind]$kind)
}

Function Set-ETS6WinHttpProxy {
    <#
    .SYNOPSIS
    Sets WinHTTP's proxy with netsh; its exit code counts, its text is in the PC's language.
    #>
    param ([string]$Server, [string]$Bypass)

    $before = @(foreach ($path in $script:WinHttpKeys) {
            $value = @{ path = $path; name = 'WinHttpSettings'; kind = $null; data = $null; made = $false }
            $key = Open-ETS6Key -Path $path
            if ($null -ne $key) {
                try {
                    if (@($key.GetValueNames()) -contains $value.name) {
                        $value.kind = $key.GetValueKind($value.name)
                        $value.data = $key.GetValue($value.name)
                    }
                }
                finally { $key.Dispose() }
            }
            $value
        })
    if (-not $Server) { $null = netsh.exe winhttp reset proxy 2>&1 }
    elseif ($Bypass) { $null = netsh.exe winhttp set proxy "proxy-server=$Server" "bypass-list=$Bypass" 2>&1 }
    else { $null = netsh.exe winhttp set proxy "proxy-server=$Server" 2>&1 }
    if ($LASTEXITCODE -ne 0) {
        $code = $LASTEXITCODE
        foreach ($value in $before) { Restore-ETS6RegistryValue -Before $value }
        throw "netsh winhttp ended with exit code $code"
    }
    $before
}

Function Test-ETS6FirewallRule {
    <#
    .SYNOPSIS
    Says whether the local store has a rule with this id. The id is no pattern: brackets and the like are escaped.
    #>
    param ([string]$Id)

    try {
        $null = Get-NetFirewallRule -Name ([WildcardPattern]::Escape($Id)) -ErrorAction Stop
        $true
    }
    catch {
        if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw }
        $false
    }
}

Function Set-ETS6FirewallRule {
    <#
    .SYNOPSIS
    Makes a rule, whole. One that is there under this id is set aside until the new one stands, and comes back if it does not.
    #>
    param ([System.Collections.IDictionary]$Rule)

    $new = @{
        Name = $Rule.id; DisplayName = $Rule.display_name; Description = $Rule.description; Group = $Rule.group; Program = $Rule.program
        Direction = $Rule.direction; Protocol = $Rule.protocol; Profile = @($Rule.profiles) -join ','; Action = 'Allow'; Enabled = 'True'
    }
    if (@($Rule.remote_addresses) -notcontains 'Any') { $new.RemoteAddress = [string[]]@($Rule.remote_addresses) }
    $aside = "$($Rule.id)-before"
    $there = Test-ETS6FirewallRule -Id $Rule.id
    if ($there) { $null = Rename-NetFirewallRule -Name ([WildcardPattern]::Escape($Rule.id)) -NewName $aside -ErrorAction Stop }
    try { $null = New-NetFirewallRule @new -ErrorAction Stop }
    catch {
        if ($there) { $null = Rename-NetFirewallRule -Name ([WildcardPattern]::Escape($aside)) -NewName $Rule.id -ErrorAction Stop }
        throw
    }
    if ($there) { Remove-NetFirewallRule -Name ([WildcardPattern]::Escape($aside)) -ErrorAction Stop }
}

Function Remove-ETS6FirewallRule {
    param ([string]$Id)

    # Without a name Remove-NetFirewallRule would remove every local rule.
    if (-not $Id) { throw 'the rule to be removed has no id' }
    if (Test-ETS6FirewallRule -Id $Id) { Remove-NetFirewallRule -Name ([WildcardPattern]::Escape($Id)) -ErrorAction Stop }
}

#endregion

Function Invoke-AnsibleETS6Request {
    <#
    .SYNOPSIS
    Does what the module windows_host is asked for: the operations, then the reading.
    .PARAMETER Argument
    The module's options, as Ansible gives them.
    #>
    [OutputType([System.Collections.IDictionary])]
    param ([Parameter(Mandatory)][System.Collections.IDictionary]$Argument)

    $asked = @{ probe_timeout = 10 }
    foreach ($name in 'registry', 'user_registry', 'files', 'named_files', 'probes', 'operations') {
        $asked[$name] = @(if ($Argument.Contains($name) -and $null -ne $Argument[$name]) { $Argument[$name] })
    }
    foreach ($name in 'registry', 'user_registry') {
        $asked[$name] = @($asked[$name] | ForEach-Object { @{ path = [string]$_.path; depth = $(if ($_.Contains('depth')) { [int]$_.depth } else { 0 }) } })
    }
    if ($Argument.Contains('probe_timeout')) { $asked.probe_timeout = [int]$Argument.probe_timeout }
    $check = $Argument.Contains('_ansible_check_mode') -and [bool]$Argument['_ansible_check_mode']
    $states = @()
    if ($asked.operations) { $states = Invoke-ETS6Operation -Operations $asked.operations -CheckMode $check }
    $snapshot = Get-ETS6Snapshot -Asked $asked
    @{
        changed = [bool]@($states | Where-Object { $_.state -eq 'done' })
        operations = $states
        snapshot = Compress-ETS6Text -Text (ConvertTo-AnsibleETS6Json -InputObject $snapshot)
    }
}

Export-ModuleMember -Function ConvertTo-AnsibleETS6Json, Invoke-AnsibleETS6Request
