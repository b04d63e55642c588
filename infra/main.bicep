// All that the app needs, in one resource group. `azd up` deploys it; so does `az deployment sub create`.
targetScope = 'subscription'

@description('Name of the environment. It names the resource group, and the same name updates what is there.')
@minLength(1)
@maxLength(60)
param environmentName string

@description('Azure region. It must offer the plan: az functionapp list-flexconsumption-locations')
@minLength(1)
param location string

@description('Who is told when an alert fires: an email address, best that of a group.')
@minLength(3)
param alertEmail string

@description('Name of the function app, and of its address https://NAME.azurewebsites.net. Empty: one is made up.')
@maxLength(60)
param appName string = ''

@description('Object id of whoever deploys, who may then write secrets and use the tables. Empty: nobody gets these roles.')
param principalId string = ''

@description('What principalId is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

@description('The settings whose values are secrets in the vault, separated by commas. A secret has the name of its setting in lower case, with "-" for "_": sentry-token.')
param secretSettings string = 'ADO_WEBHOOK_SECRET,SENTRY_TOKEN,SENTRY_CLIENT_SECRET'

@description('More settings, as NAME=value, separated by semicolons. Never a secret.')
param furtherSettings string = ''

@description('Copies of the data: in three zones, in one zone, or in a second region as well. Not every region has zones.')
@allowed(['Standard_ZRS', 'Standard_LRS', 'Standard_GZRS', 'Standard_GRS'])
param storageSku string = 'Standard_ZRS'

@description('Whether a lock keeps the storage account, and with it the links, from being deleted.')
param lockStorage bool = true

@description('Whether the vault keeps deleted secrets for 90 days whatever happens. Once on, this cannot be switched off.')
param purgeProtection bool = true

@description('Instances that always wait for HTTP requests. Sentry gives up after one second: with 0, hooks are lost to cold starts.')
@minValue(0)
@maxValue(10)
param alwaysReadyHttp int = 1

@description('Memory of an instance in MB. The price is in proportion.')
@allowed([512, 2048, 4096])
param instanceMemory int = 2048

@description('The most instances at once, counted for each group of functions.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Version of Python. The project is tested on all of these.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Seconds between two looks at the health of the app, from each of three places.')
@allowed([300, 600, 900])
param healthInterval int = 900

@description('The most GB of logs a day. What comes after is not stored, and the alerts do not see it.')
@minValue(1)
param dailyLogLimit int = 1

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetention int = 30

var tags = { 'azd-env-name': environmentName }
var token = toLower(uniqueString(subscription().id, environmentName, location))

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module foundation 'foundation.bicep' = {
  name: 'foundation'
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    principalId: principalId
    principalType: principalType
    storageSku: storageSku
    lockStorage: lockStorage
    purgeProtection: purgeProtection
    dailyLogLimit: dailyLogLimit
    logRetention: logRetention
  }
}

module app 'app.bicep' = {
  name: 'app'
  scope: group
  params: {
    location: location
    tags: tags
    name: empty(appName) ? 'sync-${token}' : appName
    identityName: foundation.outputs.identityName
    storageName: foundation.outputs.storageName
    packageContainer: foundation.outputs.packageContainer
    vaultUri: foundation.outputs.vaultUri
    componentName: foundation.outputs.componentName
    secretSettings: secretSettings
    furtherSettings: furtherSettings
    alwaysReadyHttp: alwaysReadyHttp
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    pythonVersion: pythonVersion
  }
}

module watch 'watch.bicep' = {
  name: 'watch'
  scope: group
  params: {
    location: location
    tags: tags
    publicUrl: app.outputs.publicUrl
    componentName: foundation.outputs.componentName
    alertEmail: alertEmail
    healthInterval: healthInterval
  }
}

// azd keeps these in its environment, where infra/hooks and people find them.
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = app.outputs.name
output FUNCTION_APP_ID string = app.outputs.id
output STORAGE_NAME string = foundation.outputs.storageName
output KEY_VAULT_NAME string = foundation.outputs.vaultName
output SECRET_SETTINGS string = secretSettings
output PUBLIC_URL string = app.outputs.publicUrl
output ADO_WEBHOOK_URL string = '${app.outputs.publicUrl}api/ado/ORGANIZATION/webhook'
output SENTRY_WEBHOOK_URL string = '${app.outputs.publicUrl}api/sentry/ORGANIZATION/webhook'
output IDENTITY_NAME string = foundation.outputs.identityName
output IDENTITY_OBJECT_ID string = foundation.outputs.identityObjectId
