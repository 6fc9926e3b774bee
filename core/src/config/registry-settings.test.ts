import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseRegistryConfig, storeSecurityOf } from './registry-settings.ts'

const exampleFile = new URL('../../../config/registry.properties', import.meta.url)

test('the example file holds settings that there are, with the values that hold without it', () => {
  const lines = readFileSync(exampleFile, 'utf8').split('\n')
  const given = lines.filter((line) => /^\w/.test(line)).map((line) => line.split('=') as [string, string])
  const { config, errors, warnings } = parseRegistryConfig(Object.fromEntries(given))
  expect([errors, warnings]).toEqual([{}, []])
  const { config: preset } = parseRegistryConfig({})
  expect(config).toEqual({ ...preset, 'kafkastore.topic.replication.factor': 1 })
})

test('levels are taken in either case, and nothing else is', () => {
  expect(parseRegistryConfig({}).config['schema.compatibility.level']).toBe('BACKWARD')
  const { config } = parseRegistryConfig({ 'schema.compatibility.level': 'full_transitive' })
  expect(config['schema.compatibility.level']).toBe('FULL_TRANSITIVE')
  expect(parseRegistryConfig({ 'schema.compatibility.level': 'some' }).errors).toHaveProperty(
    'schema.compatibility.level',
  )
})

test('the way to the log is said by the names that workers have', () => {
  const { config } = parseRegistryConfig({
    'kafkastore.security.protocol': 'SASL_SSL',
    'kafkastore.ssl.truststore.location': '/ca.pem',
    'ssl.truststore.location': '/of-listeners.pem',
  })
  expect(storeSecurityOf(config)).toMatchObject({
    'security.protocol': 'SASL_SSL',
    'ssl.truststore.location': '/ca.pem',
  })
})

test('names that only Java knows give a warning', () => {
  const { errors, warnings } = parseRegistryConfig({ 'kafkastore.init.timeout.ms': '60000' })
  expect(errors).toEqual({})
  expect(warnings.join()).toContain('kafkastore.init.timeout.ms')
})
