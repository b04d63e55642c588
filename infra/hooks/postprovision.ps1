# Puts the app's secrets into the vault and has the app read them. azd runs this after it made the resources; running it
# again changes nothing that is there. A secret never appears on a command line.
$ErrorActionPreference = 'Stop'

function Get-SecretName([string] $Setting) { $Setting.ToLowerInvariant().Replace('_', '-') }

function Test-InVault([string] $Setting) {
    az keyvault secret show --vault-name $env:KEY_VAULT_NAME --name (Get-SecretName $Setting) --query id --output tsv 2>&1 | Out-Null
    $LASTEXITCODE -eq 0
}

function Add-Secret([string] $Setting, [string] $Value) {
    $file = New-TemporaryFile
    try {
        [IO.File]::WriteAllText($file.FullName, $Value)
        az keyvault secret set --vault-name $env:KEY_VAULT_NAME --name (Get-SecretName $Setting) --file $file.FullName --encoding utf-8 --output none
        if ($LASTEXITCODE -ne 0) { throw "$Setting could not be stored" }
    }
    finally { Remove-Item $file.FullName }
    Write-Host "  ${Setting}: stored as $(Get-SecretName $Setting)"
}

function New-RandomSecret {
    $bytes = [byte[]]::new(32)
    [Security.Cryptography.RandomNumberGenerator]::Fill($bytes)
    [Convert]::ToHexString($bytes).ToLowerInvariant()
}

if (-not (Get-Command az -ErrorAction SilentlyContinue)) {
    throw "The Azure CLI (az) is needed to store the secrets. Install it and run this again: $PSCommandPath"
}

# Rights that were given a moment ago take a while to count.
foreach ($try in 1..20) {
    az keyvault secret list --vault-name $env:KEY_VAULT_NAME --maxresults 1 --output none 2>$null
    if ($LASTEXITCODE -eq 0) { break }
    if ($try -eq 20) { throw "No right to read the secrets of $env:KEY_VAULT_NAME, or az is not signed in: az login" }
    Start-Sleep -Seconds 15
}

$missing = @()
Write-Host "Secrets in ${env:KEY_VAULT_NAME}:"
foreach ($setting in $env:SECRET_SETTINGS.Split(',')) {
    $given = [Environment]::GetEnvironmentVariable($setting)
    if ($given) { Add-Secret $setting $given }
    elseif (Test-InVault $setting) { Write-Host "  ${setting}: is there" }
    elseif ($setting -eq 'ADO_WEBHOOK_SECRET') { Add-Secret $setting (New-RandomSecret) }
    else {
        if (-not [Console]::IsInputRedirected) { $given = Read-Host "  $setting (empty: later)" -MaskInput }
        if ($given) { Add-Secret $setting $given } else { $missing += $setting }
    }
}

# Without this the app would go on with what it read before, for up to a day; somebody may have stored one by hand.
az rest --method post --output none --url "https://management.azure.com$env:FUNCTION_APP_ID/config/configreferences/appsettings/refresh?api-version=2022-03-01"
if ($LASTEXITCODE -ne 0) { throw 'The secrets are stored, and the app has not read them' }

foreach ($setting in $missing) {
    Write-Host "  ${setting}: missing. Give it: az keyvault secret set --vault-name $env:KEY_VAULT_NAME --name $(Get-SecretName $setting) --file FILE"
}
Write-Host @"

Next, in this order:
  1. In Azure DevOps, add the app's identity $env:IDENTITY_NAME as a user (object id $env:IDENTITY_OBJECT_ID).
  2. In Sentry, make an internal integration with this webhook:  $env:SENTRY_WEBHOOK_URL
  3. Store the organization's document, and subscribe Azure DevOps to:  $env:ADO_WEBHOOK_URL
docs/deploy.md says each in full. ORGANIZATION is your own short name for the connected pair.
"@
