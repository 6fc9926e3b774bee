import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import plugin from './index.ts'
import { checkGateway, gatewayConfig } from './gateway-config.ts'
import {
  checkSource,
  mappingOf,
  parseBrokerUri,
  sourceConfig,
  splitSource,
  subscriptionFilters,
  unsupportedSourceSettings,
} from './source-config.ts'

const source = { name: 'mqtt-source', config: sourceConfig, unsupported: unsupportedSourceSettings, check: checkSource }
const gateway = { name: 'mqtt-gateway', config: gatewayConfig, check: checkGateway }
const minimal = { 'mqtt.server.uri': 'tcp://broker:1883', 'mqtt.topics': 'a/#', 'kafka.topic': 'out' }

describe('mqtt-source settings', () => {
  test('a config of the connector that it stands in for is taken as it is', () => {
    const config = parseConfig(source, {
      'connector.class': 'io.confluent.connect.mqtt.MqttSourceConnector',
      'mqtt.server.uri': 'tcp://one:1883,ssl://two:8883',
      'mqtt.topics': 'truck/+/position',
      'kafka.topic': 'trucks',
      'mqtt.qos': '1',
      'mqtt.clean.session.enabled': 'true',
      'mqtt.connect.timeout.seconds': '30',
      'mqtt.keepalive.interval.seconds': '60',
      'max.retry.time.ms': '30000',
      'mqtt.username': '',
      'mqtt.password': '',
    })
    expect(subscriptionFilters(config)).toEqual(['truck/+/position'])
    expect(mappingOf(config).target('truck/7/position', '')).toMatchObject({ topic: 'trucks', key: 'truck/7/position' })
  })

  test.each([
    [{ 'mqtt.topics': '' }, 'mqtt.topics: what to subscribe to is missing'],
    [{ 'mqtt.topics': 'a/#/b' }, 'may only be the last level'],
    [{ 'mqtt.topics': '$share/g/a' }, 'mqtt.shared.subscriptions.enabled'],
    [{ 'kafka.topic': '__consumer_offsets' }, 'internal'],
    [{ 'kafka.topic': '{device}' }, 'kafka.topic: '],
    [{ 'mqtt.server.uri': 'broker:1883' }, 'not an address'],
    [{ 'mqtt.server.uri': 'http://broker' }, 'scheme must be'],
    [{ 'mqtt.password': 'p' }, 'mqtt.username'],
    [{ 'mqtt.server.uri': 'broker' }, 'not an address'],
    [{ 'mqtt.server.uri': 'ws://broker' }, 'WebSocket'],
    [{ 'mqtt.server.uri': 'tcp://me:secret@broker' }, 'mqtt.password'],
    [{ 'mqtt.ssl.certificate.path': 'x.pem' }, 'mqtt.ssl.key.path'],
    [{ 'mqtt.ssl.trust.store.path': 'x.jks' }, 'mqtt.ssl.ca.path'],
    [{ 'mqtt.qos': 3 }, 'mqtt.qos'],
    [{ 'mqtt.mappings': 'x' }, 'mqtt.mappings: '],
  ])('%j is refused: %s', (change, reason) => {
    expect(() => parseConfig(source, { ...minimal, ...change })).toThrow(reason)
  })

  test('filters need a rule or kafka.topic', () => {
    const uri = { 'mqtt.server.uri': 'tcp://broker' }
    const rules = { 'mqtt.mappings': 'a/{x}/# => t' }
    expect(() => parseConfig(source, { ...uri, ...rules, 'mqtt.topics': 'a/1/#,b' })).toThrow('all of b')
    expect(subscriptionFilters(parseConfig(source, { ...uri, ...rules }))).toEqual(['a/+/#'])
    const both = parseConfig(source, { ...uri, ...rules, 'mqtt.topics': 'a/#', 'kafka.topic': 'rest' })
    expect(mappingOf(both).target('a/1/x', '')).toMatchObject({ topic: 't', key: '1' })
    expect(mappingOf(both).target('a', '')).toMatchObject({ topic: 'rest', key: 'a' })
  })

  test('each filter belongs to one task, unless they are shared', () => {
    const config = parseConfig(source, { ...minimal, 'mqtt.topics': 'a,b/{x},c' })
    expect(splitSource(config, 1)).toEqual([{}])
    expect(splitSource(config, 2)).toEqual([{ 'mqtt.topics': 'a,c' }, { 'mqtt.topics': 'b/{x}' }])
    expect(splitSource(config, 9)).toHaveLength(3)
    const shared = parseConfig(source, { ...minimal, 'mqtt.shared.subscriptions.enabled': true })
    expect(splitSource(shared, 3)).toEqual([{}, {}, {}])
  })

  test('addresses', () => {
    expect(parseBrokerUri('tcp://h')).toEqual({ host: 'h', port: 1883, tls: false })
    expect(parseBrokerUri('ssl://h')).toEqual({ host: 'h', port: 8883, tls: true })
    expect(parseBrokerUri('mqtts://[::1]:99')).toEqual({ host: '::1', port: 99, tls: true })
  })
})

describe('mqtt-gateway settings', () => {
  test('the defaults stand', () => {
    expect(parseConfig(gateway, {})['mqtt.mappings']).toHaveLength(2)
  })

  test.each([
    [{ 'mqtt.mappings': 'x' }, 'mqtt.mappings: '],
    [{ 'mqtt.password': 'p' }, 'mqtt.username'],
    [{ 'mqtt.username': 'u' }, 'mqtt.password'],
    [{ 'mqtt.ssl.key.path': 'k' }, 'mqtt.ssl.certificate.path'],
    [{ 'mqtt.ssl.ca.path': 'c' }, 'mqtt.ssl.certificate.path'],
    [{ 'mqtt.port': 0 }, 'mqtt.port'],
  ])('%j is refused: %s', (change, reason) => {
    expect(() => parseConfig(gateway, change)).toThrow(reason)
  })

  test('both connectors are declared', () => {
    expect(plugin.connectors?.map(({ name }) => name)).toEqual(['mqtt-source', 'mqtt-gateway'])
  })
})
