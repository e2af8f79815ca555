# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Requests URLs in the session of a user who is logged on, for windows_session_probe: only there does Windows have the login that a
# proxy asks for. A scheduled task exists for as long as that takes. The controller decides. Windows PowerShell 5.1 and PowerShell 7.

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$script:Options = 'sid', 'probes', 'timeout'
$script:Warning = ''
# Seconds for the task to start, and for its processes: a busy PC needs them.
$script:StartSeconds = 10

# Runs as the user, in Windows PowerShell: requests the URLs side by side as ETS6 does, and writes a line of JSON for each one that
# was answered. Each has its own process: .NET keeps one server's certificate for a proxy.
$script:SessionScript = {
  param ([string]$Folder, [int]$Seconds, [int]$StartSeconds)

  $ErrorActionPreference = 'Stop'
  $request = {
    param ([string]$Line, [int]$Seconds)

    $ErrorActionPreference = 'Stop'

    Function New-ETS6WebRequest([Uri]$Uri, $Proxy) {
      $request = [Net.WebRequest]::Create($Uri)
      $request.Proxy = $Proxy
      $request.UserAgent = 'ets6.network-probe'
      $request.AllowAutoRedirect = $false
      $request.Timeout = $request.ReadWriteTimeout = 1000 * $Seconds
      $request
    }

    # Returns the answer. After an error, notes it and returns the answer that comes with it, if any.
    Function Get-ETS6WebResponse($Request, $Result) {
      try { return $Request.GetResponse() }
      catch {
        $failure = $_.Exception.GetBaseException()
        for ($inner = $_.Exception; $inner; $inner = $inner.InnerException) { if ($inner -is [Net.WebException]) { $failure = $inner } }
        $Result.error = if ($failure -is [Net.WebException]) { $failure.Status.ToString() } else { $failure.GetType().Name }
        if ($failure -is [Net.WebException]) { $failure.Response }
      }
    }

    Function Read-ETS6WebResponse($Response, $Result) {
      $Result.status = [int]$Response.StatusCode
      $Result.headers = @(foreach ($header in $Response.Headers.AllKeys) { "${header}: $($Response.Headers[$header])" })
      $stream = $Response.GetResponseStream()
      $content = [IO.MemoryStream]::new()
      $buffer = [byte[]]::new(16384)
      try {
        do {
          $count = $stream.Read($buffer, 0, $buffer.Length)
          $content.Write($buffer, 0, $count)
        } while ($count -and $content.Length -lt 65536)
      }
      catch { $Result.error = 'ReceiveFailure' }
      $Result.body = [Convert]::ToBase64String($content.ToArray())
      $Response.Close()
    }

    Function Read-ETS6Certificate($Certificate, $Result) {
      $Result.leaf = [Convert]::ToBase64String($Certificate.GetRawCertData())
      $chain = [Security.Cryptography.X509Certificates.X509Chain]::new()
      $chain.ChainPolicy.RevocationMode = 'NoCheck'
      $null = $chain.Build([Security.Cryptography.X509Certificates.X509Certificate2]::new($Certificate.GetRawCertData()))
      $Result.built = @($chain.ChainElements | ForEach-Object { [Convert]::ToBase64String($_.Certificate.RawData) })
      $Result.chain_status = @($chain.ChainStatus | ForEach-Object { $_.Status.ToString() })
    }

    $name, $url = $Line -split "`t"
    $uri = [Uri]$url
    $proxy = [Net.WebRequest]::GetSystemWebProxy()
    # For the proxy only: a server gets no login.
    $proxy.Credentials = [Net.CredentialCache]::DefaultNetworkCredentials
    $chosen = $proxy.GetProxy($uri)
    $result = @{ name = $name; proxy = ''; error = ''; status = 0; headers = @(); body = ''; leaf = ''; built = @(); chain_status = @() }
    if ($chosen -ne $uri) { $result.proxy = "$($chosen.Host):$($chosen.Port)" }
    $request = New-ETS6WebRequest $uri $proxy
    $response = Get-ETS6WebResponse $request $result
    if ($response) { Read-ETS6WebResponse $response $result }
    if ($request.ServicePoint.Certificate) { Read-ETS6Certificate $request.ServicePoint.Certificate $result }
    ConvertTo-Json -InputObject $result -Compress -Depth 4
  }
  $jobs = @(foreach ($line in [IO.File]::ReadAllLines((Join-Path $Folder 'probes.txt'))) { Start-Job -ScriptBlock $request -ArgumentList $line, $Seconds })
  $null = Wait-Job -Job $jobs -Timeout ($Seconds + $StartSeconds)
  $lines = @($jobs | Where-Object { $_.State -eq 'Completed' } | Receive-Job)
  [IO.File]::WriteAllLines((Join-Path $Folder 'results.new'), [string[]]$lines)
  [IO.File]::Move((Join-Path $Folder 'results.new'), (Join-Path $Folder 'results.txt'))
}

# Returns DOMAIN\name of a user who is logged on.
Function Get-ETS6DesktopUser([string]$Sid) {
  foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter 'SessionId<>0' -OperationTimeoutSec 20) {
    if ((Invoke-CimMethod -InputObject $process -MethodName GetOwnerSid -OperationTimeoutSec 20).Sid -ne $Sid) { continue }
    $owner = Invoke-CimMethod -InputObject $process -MethodName GetOwner -OperationTimeoutSec 20
    return "$($owner.Domain)\$($owner.User)"
  }
  throw "$Sid is not logged on"
}

# Creates a folder in which only administrators and the user can write files.
Function New-ETS6SessionFolder([string]$Path, [string]$Sid) {
  $null = [IO.Directory]::CreateDirectory($Path)
  $rights = [Security.AccessControl.DirectorySecurity]::new()
  # The user reads, adds and changes files here, but cannot move the folder.
  $rights.SetSecurityDescriptorSddlForm("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;;0x1200ab;;;$Sid)(A;OIIO;0x1301bf;;;$Sid)", 'Access')
  Set-Acl -LiteralPath $Path -AclObject $rights
  if ([IO.Directory]::GetFileSystemEntries($Path)) { throw "another process put a file into $Path before its access was restricted" }
}

Function Register-ETS6Task([string]$Name, [string]$User, [string]$Arguments) {
  $task = @{
    TaskName = $Name
    Action = New-ScheduledTaskAction -Execute "$env:SystemRoot\System32\WindowsPowerShell\v1.0\powershell.exe" -Argument $Arguments
    Principal = New-ScheduledTaskPrincipal -UserId $User -LogonType Interactive -RunLevel Limited
    Settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
  }
  $null = Register-ScheduledTask @task
}

# Waits until the task has written its results.
Function Wait-ETS6Task([string]$Name, [string]$User, [string]$File, [int]$Seconds) {
  $until = [DateTime]::UtcNow.AddSeconds($Seconds)
  for ($ended = $false; -not [IO.File]::Exists($File); ) {
    if ($ended) { throw "the task of $User ended without a result (exit code $code)" }
    if ([DateTime]::UtcNow -gt $until) { throw "the task of $User did not end in time (state $code)" }
    Start-Sleep -Milliseconds 200
    # SCHED_S_TASK_RUNNING, SCHED_S_TASK_HAS_NOT_RUN, SCHED_S_TASK_QUEUED
    $code = (Get-ScheduledTaskInfo -TaskName $Name).LastTaskResult
    $ended = $code -notin 267009, 267011, 267045
  }
}

# Runs the script in the user's session. Returns the lines that it wrote.
Function Invoke-ETS6SessionScript([string]$Sid, [string[]]$Probes, [int]$Seconds) {
  $user = Get-ETS6DesktopUser $Sid
  $name = "ets6.network $([guid]::NewGuid())"
  $folder = Join-Path $env:ProgramData $name
  $program = Join-Path $folder 'probe.ps1'
  $results = Join-Path $folder 'results.txt'
  try {
    New-ETS6SessionFolder $folder $Sid
    [IO.File]::WriteAllText($program, $script:SessionScript.ToString())
    [IO.File]::WriteAllLines((Join-Path $folder 'probes.txt'), $Probes)
    $arguments = "-NoProfile -NonInteractive -ExecutionPolicy RemoteSigned -File `"$program`" `"$folder`" $Seconds $($script:StartSeconds)"
    Register-ETS6Task -Name $name -User $user -Arguments $arguments
    try {
      Start-ScheduledTask -TaskName $name
      Wait-ETS6Task -Name $name -User $user -File $results -Seconds ($Seconds + 2 * $script:StartSeconds)
      # The user wrote it, and may have written anything.
      if ([IO.FileInfo]::new($results).Length -gt 4MB) { throw "the task of $user wrote more than 4 MB" }
      [IO.File]::ReadAllLines($results)
    }
    finally {
      # After a timeout the script may still run and hold its files.
      Stop-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
      Unregister-ScheduledTask -TaskName $name -Confirm:$false
    }
  }
  finally { Remove-ETS6SessionFolder $folder }
}

# Removes file by file: what another process put there is not followed, and stays.
Function Remove-ETS6SessionFolder([string]$Path) {
  try {
    foreach ($file in 'probe.ps1', 'probes.txt', 'results.new', 'results.txt') { [IO.File]::Delete((Join-Path $Path $file)) }
    [IO.Directory]::Delete($Path, $false)
  }
  catch { $script:Warning = "$Path could not be removed: $($_.Exception.GetBaseException().Message)" }
}

# Takes the module's options.
Function Invoke-ETS6SessionRequest($Argument) {
  foreach ($entry in $Argument.GetEnumerator()) {
    if ($entry.Key -notlike '_ansible_*' -and $script:Options -notcontains $entry.Key) {
      throw "windows_session_probe has no option $($entry.Key). It has $($script:Options -join ', ')."
    }
  }
  $lines = @(foreach ($probe in $Argument['probes']) {
      if ("$($probe.name)$($probe.url)" -match '[\t\r\n]') { throw "probes: name and url of $($probe.name) must not contain a tab or a line break." }
      "$($probe.name)`t$($probe.url)"
    })
  $seconds = if ($Argument['timeout']) { [int]$Argument['timeout'] } else { 10 }
  $reply = @{ changed = $false; remaining = @() }
  try { $reply.lines = @(Invoke-ETS6SessionScript -Sid $Argument['sid'] -Probes $lines -Seconds $seconds) }
  catch {
    $reply.failed = $true
    $reply.msg = $_.Exception.GetBaseException().Message
  }
  if ($script:Warning) { $reply.remaining = @($script:Warning) }
  $reply
}

Export-ModuleMember -Function Invoke-ETS6SessionRequest
