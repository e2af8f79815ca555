# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# What windows_session_probe does on a PC: a scheduled task for as long as it takes, in the session of a user who is logged on, since
# only there does Windows have the login that a proxy wants. It decides nothing. Windows PowerShell 5.1 and PowerShell 7.

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$script:Options = 'sid', 'probes', 'timeout'
$script:Left = ''
# Seconds for the task to begin, and for its processes: both wait for a PC that is busy.
$script:Start = 10

# Runs as the user, in Windows PowerShell: asks for every URL as ETS6 does, side by side, and writes a line of JSON for each that was
# answered. Each in a process of its own: .NET keeps a server's certificate with the proxy, where another server's would take its place.
$script:SessionScript = {
  param ([string]$Folder, [int]$Seconds, [int]$Start)

  $ErrorActionPreference = 'Stop'
  $ask = {
    param ([string]$Line, [int]$Seconds)

    $ErrorActionPreference = 'Stop'
    $name, $url = $Line -split "`t"
    $uri = [Uri]$url
    $proxy = [Net.WebRequest]::GetSystemWebProxy()
    # A proxy that asks gets what Windows gives it of this user's login. A server gets nothing.
    $proxy.Credentials = [Net.CredentialCache]::DefaultNetworkCredentials
    $way = $proxy.GetProxy($uri)
    $found = @{ name = $name; way = ''; error = ''; status = 0; headers = @(); body = ''; leaf = ''; built = @(); chain_status = @() }
    if ($way -ne $uri) { $found.way = "$($way.Host):$($way.Port)" }
    $request = [Net.WebRequest]::Create($uri)
    $request.Proxy = $proxy
    $request.UserAgent = 'ets6.network-probe'
    $request.AllowAutoRedirect = $false
    $request.Timeout = $request.ReadWriteTimeout = 1000 * $Seconds
    $answer = $null
    try { $answer = $request.GetResponse() }
    catch {
      $failure = $_.Exception.GetBaseException()
      for ($inner = $_.Exception; $inner; $inner = $inner.InnerException) { if ($inner -is [Net.WebException]) { $failure = $inner } }
      $found.error = if ($failure -is [Net.WebException]) { $failure.Status.ToString() } else { $failure.GetType().Name }
      if ($failure -is [Net.WebException]) { $answer = $failure.Response }
    }
    if ($answer) {
      $found.status = [int]$answer.StatusCode
      $found.headers = @(foreach ($header in $answer.Headers.AllKeys) { "${header}: $($answer.Headers[$header])" })
      $stream = $answer.GetResponseStream()
      $content = [IO.MemoryStream]::new()
      $buffer = [byte[]]::new(16384)
      try { while ($content.Length -lt 65536 -and ($count = $stream.Read($buffer, 0, $buffer.Length))) { $content.Write($buffer, 0, $count) } } # lint: PossibleIncorrectUsageOfAssignmentOperator
      catch { $found.error = 'ReceiveFailure' }
      $found.body = [Convert]::ToBase64String($content.ToArray())
      $answer.Close()
    }
    $leaf = $request.ServicePoint.Certificate
    if ($leaf) {
      $found.leaf = [Convert]::ToBase64String($leaf.GetRawCertData())
      $chain = [Security.Cryptography.X509Certificates.X509Chain]::new()
      $chain.ChainPolicy.RevocationMode = 'NoCheck'
      $null = $chain.Build([Security.Cryptography.X509Certificates.X509Certificate2]::new($leaf.GetRawCertData()))
      $found.built = @($chain.ChainElements | ForEach-Object { [Convert]::ToBase64String($_.Certificate.RawData) })
      $found.chain_status = @($chain.ChainStatus | ForEach-Object { $_.Status.ToString() })
    }
    ConvertTo-Json -InputObject $found -Compress -Depth 4
  }
  $jobs = @(foreach ($line in [IO.File]::ReadAllLines((Join-Path $Folder 'probes.txt'))) { Start-Job -ScriptBlock $ask -ArgumentList $line, $Seconds })
  $null = Wait-Job -Job $jobs -Timeout ($Seconds + $Start)
  $lines = @($jobs | Where-Object { $_.State -eq 'Completed' } | Receive-Job)
  [IO.File]::WriteAllLines((Join-Path $Folder 'found.new'), [string[]]$lines)
  [IO.File]::Move((Join-Path $Folder 'found.new'), (Join-Path $Folder 'found.txt'))
}

# Gives DOMAIN\name of the user, going by the processes of all sessions.
Function Get-ETS6DesktopUser {
  param ([string]$Sid)

  foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter 'SessionId<>0' -OperationTimeoutSec 20) {
    if ((Invoke-CimMethod -InputObject $process -MethodName GetOwnerSid -OperationTimeoutSec 20).Sid -ne $Sid) { continue }
    $owner = Invoke-CimMethod -InputObject $process -MethodName GetOwner -OperationTimeoutSec 20
    return "$($owner.Domain)\$($owner.User)"
  }
  throw "$Sid is not logged on"
}

# Makes a folder in which nobody but administrators and this user can put a file: what stands there is nobody else's word.
Function New-ETS6SessionFolder {
  param ([string]$Path, [string]$Sid)

  $null = [IO.Directory]::CreateDirectory($Path)
  $rights = [Security.AccessControl.DirectorySecurity]::new()
  # The user reads and adds files here, and changes them; the folder itself stays where it is.
  $rights.SetSecurityDescriptorSddlForm("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;;0x1200ab;;;$Sid)(A;OIIO;0x1301bf;;;$Sid)", 'Access')
  Set-Acl -LiteralPath $Path -AclObject $rights
  if ([IO.Directory]::GetFileSystemEntries($Path)) { throw "somebody else was quicker to put a file into $Path" }
}

# Runs the script in the user's session; gives the lines that it wrote.
Function Invoke-ETS6SessionScript {
  param ([string]$Sid, [string[]]$Probes, [int]$Seconds)

  $user = Get-ETS6DesktopUser -Sid $Sid
  $name = "ets6.network $([guid]::NewGuid())"
  $folder = Join-Path $env:ProgramData $name
  $program = Join-Path $folder 'probe.ps1'
  try {
    New-ETS6SessionFolder -Path $folder -Sid $Sid
    [IO.File]::WriteAllText($program, $script:SessionScript.ToString())
    [IO.File]::WriteAllLines((Join-Path $folder 'probes.txt'), $Probes)
    $task = @{
      TaskName = $name
      Action = New-ScheduledTaskAction -Execute "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe" -Argument (
        "-NoProfile -NonInteractive -ExecutionPolicy RemoteSigned -File `"$program`" `"$folder`" $Seconds $($script:Start)")
      Principal = New-ScheduledTaskPrincipal -UserId $user -LogonType Interactive -RunLevel Limited
      Settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    }
    $null = Register-ScheduledTask @task
    try {
      Start-ScheduledTask -TaskName $name
      $until = [DateTime]::UtcNow.AddSeconds($Seconds + 2 * $script:Start)
      $found = Join-Path $folder 'found.txt'
      for ($ended = $false; -not [IO.File]::Exists($found); ) {
        if ($ended) { throw "the task of $user ended without an answer (its result is $code)" }
        if ([DateTime]::UtcNow -gt $until) { throw "the task of $user was not done in time (its result is $code)" }
        Start-Sleep -Milliseconds 200
        # SCHED_S_TASK_RUNNING, SCHED_S_TASK_HAS_NOT_RUN, SCHED_S_TASK_QUEUED
        $code = (Get-ScheduledTaskInfo -TaskName $name).LastTaskResult
        $ended = $code -notin 267009, 267011, 267045
      }
      # The user wrote it, so it is nobody's word but the user's.
      if ([IO.FileInfo]::new($found).Length -gt 4MB) { throw "the task of $user wrote more than it could have found" }
      [IO.File]::ReadAllLines($found)
    }
    finally {
      # Where time was over, the script may still run and hold its files.
      Stop-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
      Unregister-ScheduledTask -TaskName $name -Confirm:$false
    }
  }
  finally {
    # File by file: what somebody else put there is not followed, and stays.
    try {
      foreach ($file in 'probe.ps1', 'probes.txt', 'found.new', 'found.txt') { [IO.File]::Delete((Join-Path $folder $file)) }
      [IO.Directory]::Delete($folder, $false)
    }
    catch { $script:Left = "$folder stays, since it cannot be removed: $($_.Exception.GetBaseException().Message)" }
  }
}

Function Invoke-AnsibleETS6SessionRequest {
  <#
  .SYNOPSIS
  Does what the module windows_session_probe is asked for.
  .PARAMETER Argument
  The module's options, as Ansible gives them.
  #>
  [OutputType([Collections.IDictionary])]
  param ([Parameter(Mandatory)][Collections.IDictionary]$Argument)

  foreach ($entry in $Argument.GetEnumerator()) {
    if ($entry.Key -notlike '_ansible_*' -and $script:Options -notcontains $entry.Key) {
      throw "windows_session_probe has no option $($entry.Key). It has $($script:Options -join ', ')."
    }
  }
  $lines = @(foreach ($probe in $Argument['probes']) {
      if ("$($probe.name)$($probe.url)" -match '[\t\r\n]') { throw "probes: neither name nor url of $($probe.name) may hold a tab or a line end." }
      "$($probe.name)`t$($probe.url)"
    })
  $seconds = if ($Argument['timeout']) { [int]$Argument['timeout'] } else { 10 }
  $reply = @{ changed = $false; remaining = @() }
  try { $reply.lines = @(Invoke-ETS6SessionScript -Sid $Argument['sid'] -Probes $lines -Seconds $seconds) }
  catch {
    $reply.failed = $true
    $reply.msg = $_.Exception.GetBaseException().Message
  }
  if ($script:Left) { $reply.remaining = @($script:Left) }
  $reply
}

Export-ModuleMember -Function Invoke-AnsibleETS6SessionRequest
