// What outlives a deployment of the code: the app's identity, its data, its secrets, its logs, and who may use them.

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('What makes the names unique.')
param token string

@description('Object id of whoever deploys. Empty: nobody gets the roles of an operator.')
param principalId string

@description('What principalId is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string

@description('Copies of the data.')
@allowed(['Standard_ZRS', 'Standard_LRS', 'Standard_GZRS', 'Standard_GRS'])
param storageSku string

@description('Whether a lock keeps the storage account from being deleted.')
param lockStorage bool

@description('Whether the vault keeps deleted secrets for 90 days whatever happens.')
param purgeProtection bool

@description('The most GB of logs a day.')
param dailyLogLimit int

@description('Days that logs are kept.')
param logRetention int

// The scale controller looks at a queue before the app first runs, so all of them are made here and none by the app.
var queues = ['inbound-sync', 'outbound-sync', 'inbound-sync-poison', 'outbound-sync-poison']
var tables = ['syncorganizations', 'synclinks', 'syncactivity', 'synctraffic']
var packages = 'app-package'

// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var roles = {
  'Storage Blob Data Owner': 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  'Storage Queue Data Contributor': '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  'Storage Table Data Contributor': '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6'
  'Key Vault Secrets Officer': 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  'Monitoring Metrics Publisher': '3913510d-42f4-4e42-8a64-420c390055eb'
}
var storageRolesOfApp = ['Storage Blob Data Owner', 'Storage Queue Data Contributor', 'Storage Table Data Contributor']
var storageRolesOfOperator = ['Storage Queue Data Contributor', 'Storage Table Data Contributor']

// One identity for storage, the package, the vault, the logs and Azure DevOps. It is made before the app, so that its
// roles are there when the app first starts.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${token}'
  location: location
  tags: tags
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: storageSku }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource package 'containers' = {
      name: packages
    }
  }

  resource queueService 'queueServices' = {
    name: 'default'

    resource queue 'queues' = [for name in queues: {
      name: name
    }]
  }

  resource tableService 'tableServices' = {
    name: 'default'

    resource table 'tables' = [for name in tables: {
      name: name
    }]
  }
}

// Tables have no soft delete: who deletes the account deletes every link.
resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (lockStorage) {
  name: 'keep-the-links'
  scope: storage
  properties: {
    level: 'CanNotDelete'
    notes: 'The links between issues and work items are in the tables of this account.'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: 'kv-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: purgeProtection ? true : null // Azure refuses false.
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: logRetention
    workspaceCapping: { dailyQuotaGb: dailyLogLimit }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource storageOfApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in storageRolesOfApp: {
  name: guid(storage.id, identity.id, role)
  scope: storage
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[role])
  }
}]

resource vaultOfApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, 'Key Vault Secrets User')
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Key Vault Secrets User'])
  }
}

resource logsOfApp 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, identity.id, 'Monitoring Metrics Publisher')
  scope: component
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Monitoring Metrics Publisher'])
  }
}

// Without keys to the account, people need roles as well.
resource storageOfOperator 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in storageRolesOfOperator: if (!empty(principalId)) {
  name: guid(storage.id, principalId, role)
  scope: storage
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[role])
  }
}]

resource vaultOfOperator 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(principalId)) {
  name: guid(vault.id, principalId, 'Key Vault Secrets Officer')
  scope: vault
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Key Vault Secrets Officer'])
  }
}

output identityName string = identity.name
output identityObjectId string = identity.properties.principalId
output storageName string = storage.name
output packageContainer string = '${storage.properties.primaryEndpoints.blob}${packages}'
output vaultName string = vault.name
output vaultUri string = vault.properties.vaultUri
output componentName string = component.name
