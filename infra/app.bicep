// The function app: its plan, its settings. foundation.bicep comes first, so that its identity has its roles already:
// a reference to the vault that fails once is not tried again for a day.

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Name of the function app.')
param name string

@description('Name of the app\'s identity.')
param identityName string

@description('Name of the storage account.')
param storageName string

@description('Address of the container for the app\'s package.')
param packageContainer string

@description('Address of the vault.')
param vaultUri string

@description('Name of the Application Insights component.')
param componentName string

@description('The settings whose values are secrets in the vault, separated by commas.')
param secretSettings string

@description('More settings, as NAME=value, separated by semicolons.')
param furtherSettings string

@description('Instances that always wait for HTTP requests.')
param alwaysReadyHttp int

@description('Memory of an instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemory int

@description('The most instances at once, counted for each group of functions.')
@minValue(40)
param maximumInstances int

@description('Version of Python.')
param pythonVersion string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true } // Linux
}

resource site 'Microsoft.Web/sites@2025-05-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    // Without it, references to the vault use the system's identity, which is not there.
    keyVaultReferenceIdentity: identity.id
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        alwaysReady: alwaysReadyHttp == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyHttp }]
        instanceMemoryMB: instanceMemory
        maximumInstanceCount: maximumInstances
        triggers: { http: { perInstanceConcurrency: 16 } }
      }
    }
  }

  // Whoever deploys signs in to Azure; there is no password for it.
  resource publishing 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

var ownSettings = {
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AZURE_CLIENT_ID: identity.properties.clientId
  AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential' // The first sign-in tries nothing else.
  APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  PYTHON_THREADPOOL_THREAD_COUNT: '32'
  PUBLIC_URL: 'https://${site.properties.defaultHostName}/'
}

// Without a version in its address, a secret that changes in the vault changes in the app within a day.
var references = toObject(
  split(secretSettings, ','),
  setting => trim(setting),
  setting => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${toLower(replace(trim(setting), '_', '-'))})'
)

var further = toObject(
  filter(split(furtherSettings, ';'), setting => contains(setting, '=')),
  setting => trim(first(split(setting, '='))),
  setting => substring(setting, indexOf(setting, '=') + 1)
)

resource settings 'Microsoft.Web/sites/config@2025-05-01' = {
  parent: site
  name: 'appsettings'
  properties: union(further, references, ownSettings)
}

output id string = site.id
output name string = site.name
output publicUrl string = 'https://${site.properties.defaultHostName}/'
