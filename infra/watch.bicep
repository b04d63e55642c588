// Who looks after the app: a look at its health from outside, six alerts, and a workbook with five charts.
// Every query is a file of infra/queries, to be tried in the portal's Logs.

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Address of the app.')
param publicUrl string

@description('Name of the Application Insights component.')
param componentName string

@description('Who is told when an alert fires.')
param alertEmail string

@description('Seconds between two looks at the health of the app, from each place.')
@allowed([300, 600, 900])
param healthInterval int

// Each finds its trouble by more than 0 rows. 1 is an error, 2 a warning.
var logAlerts = [
  {
    name: 'message-given-up'
    severity: 2
    window: 'PT15M'
    summary: 'A message failed five times and went to a poison queue.'
    query: loadTextContent('queries/message-given-up.kql')
  }
  {
    name: 'defect'
    severity: 2
    window: 'PT15M'
    summary: 'The app met something that nobody expected; the log has the traceback.'
    query: loadTextContent('queries/defect.kql')
  }
  {
    name: 'hook-turned-away'
    severity: 1
    window: 'PT15M'
    summary: 'A hook was answered with 401 or 503. Azure DevOps puts a subscription on probation for a 401.'
    query: loadTextContent('queries/hook-turned-away.kql')
  }
  {
    name: 'sentry-answered-late'
    severity: 2
    window: 'PT15M'
    summary: 'A hook from Sentry took longer than 900 ms. Sentry gives up after one second.'
    query: loadTextContent('queries/sentry-answered-late.kql')
  }
  {
    name: 'reconciler-stands-still'
    severity: 1
    window: 'PT30M'
    summary: 'The reconciler has not finished a run for 30 minutes.'
    query: loadTextContent('queries/reconciler-stands-still.kql')
  }
]

var charts = [
  { title: 'Deliveries by answer', query: loadTextContent('queries/deliveries.kql') }
  { title: 'How long hooks take (ms, 95th percentile)', query: loadTextContent('queries/answer-times.kql') }
  { title: 'What became of messages', query: loadTextContent('queries/outcomes.kql') }
  { title: 'Runs of the workers, and those that failed', query: loadTextContent('queries/workers.kql') }
  { title: 'How long the reconciler runs (s)', query: loadTextContent('queries/reconciler-runs.kql') }
]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'sync-alerts'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'sync'
    emailReceivers: [{ name: 'email', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

resource healthTest 'Microsoft.Insights/webtests@2022-06-15' = {
  name: 'health-${componentName}'
  location: location
  tags: union(tags, { 'hidden-link:${component.id}': 'Resource' })
  kind: 'standard'
  properties: {
    Name: 'health'
    SyntheticMonitorId: 'health-${componentName}'
    Enabled: true
    Kind: 'standard'
    Frequency: healthInterval
    Timeout: 30
    RetryEnabled: true
    Locations: [{ Id: 'emea-nl-ams-azr' }, { Id: 'us-va-ash-azr' }, { Id: 'apac-sg-sin-azr' }]
    Request: { RequestUrl: '${publicUrl}api/health', HttpVerb: 'GET', ParseDependentRequests: false }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
      ContentValidation: { ContentMatch: '"status": "ok"', PassIfTextFound: true }
    }
  }
}

resource unhealthy 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'unhealthy'
  location: 'global'
  tags: tags
  properties: {
    description: 'The app does not say that it is well, or does not answer, seen from two places.'
    severity: 1
    enabled: true
    autoMitigate: true
    scopes: [healthTest.id, component.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M' // At least one look from each place.
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: healthTest.id
      componentId: component.id
      failedLocationCount: 2
    }
    actions: [{ actionGroupId: people.id }]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in logAlerts: {
  name: alert.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: alert.name
    description: alert.summary
    severity: alert.severity
    enabled: true
    autoMitigate: true
    scopes: [component.id]
    evaluationFrequency: 'PT15M'
    windowSize: alert.window
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: [people.id] }
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(component.id, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Sentry and Azure DevOps'
    category: 'workbook'
    sourceId: component.id
    serializedData: string({
      version: 'Notebook/1.0'
      fallbackResourceIds: [component.id]
      items: map(charts, chart => {
        type: 3 // a query
        name: chart.title
        content: {
          version: 'KqlItem/1.0'
          title: chart.title
          query: chart.query
          queryType: 0 // logs
          resourceType: 'microsoft.insights/components'
          timeContext: { durationMs: 86400000 }
          visualization: 'timechart'
          size: 0
        }
      })
    })
  }
}
