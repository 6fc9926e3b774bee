import { describe, expect, test } from 'vitest'
import { consumerOverrides, parseClientSettings, parseOverrides, producerOverrides } from './client-settings.ts'
import { maskSecrets, secretMask } from './secrets.ts'
import { parseWorkerConfig } from './worker-settings.ts'

const producer = (raw: Record<string, string>) => parseClientSettings('producer', 'producer.override.', raw)
const consumer = (raw: Record<string, string>) => parseClientSettings('consumer', 'consumer.override.', raw)

describe('overrides', () => {
  test('become what the client takes', () => {
    const { config, errors, warnings } = producer({
      'producer.override.acks': '-1',
      'producer.override.compression.type': 'LZ4',
      'producer.override.batch.size': '16384',
      'producer.override.max.request.size': '2097152',
      'producer.override.delivery.timeout.ms': '60000',
      'producer.override.request.timeout.ms': '5000',
      'producer.override.client.id': 'me',
      'consumer.override.client.id': 'another',
      name: 'n',
    })
    expect({ errors, warnings }).toEqual({ errors: {}, warnings: [] })
    expect(producerOverrides(config)).toEqual({
      acks: 'all',
      compression: 'lz4',
      maxBatchBytes: 16384,
      maxRequestBytes: 2097152,
      deliveryTimeoutMs: 60000,
      requestTimeoutMs: 5000,
      clientId: 'me',
    })
    const read = consumer({
      'consumer.override.auto.offset.reset': 'latest',
      'consumer.override.fetch.max.wait.ms': '50',
      'consumer.override.partition.assignment.strategy': 'org.apache.kafka.clients.consumer.RangeAssignor',
    })
    expect(consumerOverrides(read.config)).toEqual({
      offsetReset: 'latest',
      fetchMaxWaitMs: 50,
      assignmentStrategy: 'range',
    })
    expect(producerOverrides({})).toEqual({})
    expect(consumerOverrides({})).toEqual({})
  })

  test('that are wrong are errors under their full names', () => {
    const name = 'producer.override.acks'
    expect(producer({ [name]: '0' }).errors).toEqual({
      [name]: [`Invalid value 0 for configuration ${name}: expected one of: all, -1, 1`],
    })
    expect(producer({ [name]: '1', 'producer.override.enable.idempotence': 'true' }).errors).toHaveProperty([name])
    const session = 'consumer.override.session.timeout.ms'
    const heartbeat = 'consumer.override.heartbeat.interval.ms'
    expect(consumer({ [session]: '1000', [heartbeat]: '1000' }).errors).toHaveProperty([heartbeat])
  })

  test('that would change the result if they were ignored are refused with the reason', () => {
    const errors = {
      ...producer({ 'producer.override.transactional.id': 'x', 'producer.override.ssl.keystore.password': 'x' }).errors,
      ...consumer({ 'consumer.override.enable.auto.commit': 'true' }).errors,
    }
    expect(Object.values(errors).flat()).toEqual([
      expect.stringMatching(/transactional\.id is not supported: it is the framework’s/),
      expect.stringMatching(/ssl\.keystore\.password is not supported: .*PEM/),
      expect.stringMatching(/enable\.auto\.commit is not supported: offsets are committed/),
    ])
  })

  test('that concern Kafka’s own clients alone are warned of, and so are those that nobody knows', () => {
    const { errors, warnings } = producer({ 'producer.override.linger.ms': '5', 'producer.override.batch.sise': '1' })
    expect(errors).toEqual({})
    expect([...warnings].sort()).toEqual([
      expect.stringMatching(/^Configuration producer\.override\.linger\.ms has no effect: /),
      expect.stringMatching(/did you mean producer\.override\.batch\.size\?$/),
    ])
  })

  test('are held to the policy, in the words of Kafka Connect', () => {
    const config = { 'consumer.override.sasl.jaas.config': 'x', 'consumer.override.max.poll.records': '5' }
    expect(parseOverrides(config, 'All').errors).toEqual({})
    expect(parseOverrides(config, 'Principal').errors).toEqual({
      'consumer.override.max.poll.records': [
        "The 'Principal' policy does not allow 'max.poll.records' to be overridden in the connector configuration.",
      ],
    })
    expect(Object.keys(parseOverrides(config, 'None').errors)).toEqual(Object.keys(config))
  })

  test('that are secret are masked', () => {
    const config = { 'admin.override.ssl.keystore.key': 'k', 'admin.override.client.id': 'c' }
    expect(maskSecrets(config, {}, {})).toEqual({ ...config, 'admin.override.ssl.keystore.key': secretMask })
  })
})

test('a worker has settings for the clients of its connectors', () => {
  const { clientSettings, errors } = parseWorkerConfig({
    'producer.compression.type': 'zstd',
    'consumer.max.poll.records': '10',
    'consumer.fetch.min.bytes': '0',
    'admin.listeners': 'http://:1',
    'connector.client.config.override.policy': 'principal',
  })
  expect(clientSettings).toEqual({
    producer: { 'compression.type': 'zstd' },
    consumer: { 'max.poll.records': 10 },
    admin: {},
  })
  expect(Object.keys(errors)).toEqual(['consumer.fetch.min.bytes'])
})
