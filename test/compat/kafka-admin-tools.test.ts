/** Kafka's admin tools on users, on settings of the broker, and on what one broker has no use for; secured clients of Java. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { javaMissing, javaTools, toolsOn, type JavaTools, type ToolRun } from '../support/java-tools.ts'
import { makeCertificates, type TestCertificates } from '../support/security.ts'

const missing = await javaMissing()

describe.skipIf(missing !== undefined)(`admin tools of Kafka${missing === undefined ? '' : ` (${missing})`}`, () => {
  let broker: BrokerProcess
  let folder: string
  let certificates: TestCertificates
  let tools: JavaTools
  let logged = ''

  const start = async (): Promise<void> => {
    broker = await brokerProcess(join(folder, 'data'), 0, (text) => (logged += text), {
      'log.listeners': ['SSL://127.0.0.1:0', 'SASL_PLAINTEXT://127.0.0.1:0', 'SASL_SSL://127.0.0.1:0'],
      'ssl.keystore.location': certificates.serverFile,
      'log.retention.bytes': 1_000_000,
    })
  }
  beforeAll(async () => {
    folder = await temporaryFolder()
    certificates = await makeCertificates(folder)
    ;[tools] = await Promise.all([javaTools(), start()])
  })
  afterAll(async () => {
    await tools.close()
    await broker.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const on = (protocol: string): string =>
    broker.listeners.find((each) => each.startsWith(`${protocol}://`))!.replace(/^\w+:\/\//, '')
  const { run, ok, refused } = toolsOn(
    () => tools,
    () => broker.address,
  )
  const configs = (args: string) => ok('kafka.admin.ConfigCommand', args)
  const refusedConfigs = (args: string) => refused('kafka.admin.ConfigCommand', args)

  /** The file of settings of a secured client. */
  const clientFile = async (settings: Record<string, string>): Promise<string> => {
    const file = join(folder, `client-${Math.random()}.properties`)
    const lines = Object.entries({ 'request.timeout.ms': '10000', 'default.api.timeout.ms': '15000', ...settings })
    await writeFile(file, lines.map(([name, value]) => `${name}=${value}\n`).join(''))
    return file
  }
  const tls = () => ({ 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': certificates.caFile })
  const sasl = (mechanism: string, user: string, password: string) => {
    const module = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
    const jaas = `org.apache.kafka.common.security.${module} required username="${user}" password="${password}";`
    return { 'sasl.mechanism': mechanism, 'sasl.jaas.config': jaas }
  }
  /** Whether the client gets in, by asking for the cluster's id. */
  const connects = async (protocol: string, settings: Record<string, string>): Promise<ToolRun> => {
    const file = await clientFile({ 'security.protocol': protocol, ...settings })
    return run('TopicCommand', `--list --command-config ${file}`, undefined, on(protocol))
  }

  test('kafka-configs makes, changes, shows and removes users, who are there after kill -9', async () => {
    const carol = '--entity-type users --entity-name carol'
    await configs(`${carol} --alter --add-config SCRAM-SHA-256=[iterations=8192,password=first]`)
    await configs(`${carol} --alter --add-config SCRAM-SHA-512=[password=second]`)
    const credentials = 'SCRAM-SHA-256=iterations=8192, SCRAM-SHA-512=iterations=4096'
    expect(await configs(`${carol} --describe`)).toContain(`for user-principal 'carol' are ${credentials}`)
    await broker.kill()
    await start()
    expect(await configs('--entity-type users --describe')).toContain(`for user-principal 'carol' are ${credentials}`)
    expect(await connects('SASL_PLAINTEXT', sasl('SCRAM-SHA-256', 'carol', 'first'))).toMatchObject({ code: 0 })
    expect(await connects('SASL_SSL', { ...tls(), ...sasl('SCRAM-SHA-512', 'carol', 'second') })).toMatchObject({
      code: 0,
    })
    await configs(`${carol} --alter --add-config SCRAM-SHA-256=[password=third]`)
    expect(await connects('SASL_PLAINTEXT', sasl('SCRAM-SHA-256', 'carol', 'third'))).toMatchObject({ code: 0 })
    const old = await connects('SASL_PLAINTEXT', sasl('SCRAM-SHA-256', 'carol', 'first'))
    expect([old.code, old.out + old.err]).toEqual([
      1,
      expect.stringContaining('Authentication failed: invalid credentials'),
    ])
    await configs(`${carol} --alter --delete-config SCRAM-SHA-256,SCRAM-SHA-512`)
    expect(await configs('--entity-type users --describe')).not.toContain('carol')
    expect(await refusedConfigs(`${carol} --alter --delete-config SCRAM-SHA-256`)).toContain('does not exist')
    expect(await refusedConfigs(`${carol} --alter --add-config SCRAM-SHA-256=[iterations=100,password=x]`)).toMatch(
      /[Ii]terations/,
    )
    expect(await refusedConfigs(`${carol} --alter --add-config producer_byte_rate=1000`)).toContain(
      'does not support ALTER_CLIENT_QUOTAS',
    )
  })

  test('Java clients log in with each mechanism, with TLS and without; what is wrong is told on both sides', async () => {
    await configs(
      '--entity-type users --entity-name dave --alter --add-config SCRAM-SHA-256=[password=d-256],SCRAM-SHA-512=[password=d-512]',
    )
    for (const [mechanism, password] of [
      ['PLAIN', 'd-512'],
      ['SCRAM-SHA-256', 'd-256'],
      ['SCRAM-SHA-512', 'd-512'],
    ] as const) {
      const right = sasl(mechanism, 'dave', password)
      expect(await connects('SASL_PLAINTEXT', right), mechanism).toMatchObject({ code: 0 })
      expect(await connects('SASL_SSL', { ...tls(), ...right }), mechanism).toMatchObject({ code: 0 })
      logged = ''
      const wrong = await connects('SASL_SSL', { ...tls(), ...sasl(mechanism, 'dave', 'wr0ng') })
      expect([wrong.code, wrong.out + wrong.err]).toEqual([
        1,
        expect.stringContaining('Authentication failed: invalid credentials'),
      ])
      // The broker's line may come later than the client's answer.
      const lines = () => logged.split('\n').filter((line) => line.includes('Authentication of'))
      await expect.poll(() => lines().length).toBe(1)
      expect(logged).not.toContain('wr0ng')
    }
    expect(await connects('SSL', tls())).toMatchObject({ code: 0 })
    const elsewhere = join(folder, 'elsewhere')
    await mkdir(elsewhere)
    const other = await makeCertificates(elsewhere)
    const wrongAuthority = await connects('SSL', { ...tls(), 'ssl.truststore.location': other.caFile })
    expect([wrongAuthority.code, wrongAuthority.out + wrongAuthority.err]).toEqual([
      1,
      expect.stringContaining('SSL handshake failed'),
    ])
  })

  test('kafka-configs changes settings of the broker, which topics follow, and which are there after kill -9', async () => {
    await ok('TopicCommand', '--create --topic follows')
    await ok('TopicCommand', '--create --topic own --config retention.ms=7777')
    const ofBroker = '--entity-type brokers --entity-name 1'
    const ofAll = '--entity-type brokers --entity-default'
    const retention = async (topic: string) =>
      /^ {2}retention\.ms=(\d+) /m.exec(
        await configs(`--entity-type topics --entity-name ${topic} --describe --all`),
      )![1]
    await configs(`${ofAll} --alter --add-config log.retention.ms=1000000`)
    expect([await retention('follows'), await retention('own')]).toEqual(['1000000', '7777'])
    await configs(`${ofBroker} --alter --add-config log.retention.ms=2000000,log.cleanup.policy=[compact,delete]`)
    await broker.kill()
    await start()
    expect([await retention('follows'), await retention('own')]).toEqual(['2000000', '7777'])
    expect(await configs(`${ofBroker} --describe`)).toContain(
      'log.retention.ms=2000000 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=2000000, DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=1000000, DEFAULT_CONFIG:log.retention.ms=604800000}',
    )
    expect(await configs(`${ofAll} --describe`)).toContain('log.retention.ms=1000000')
    const all = await configs(`${ofBroker} --describe --all`)
    expect(all).toContain('log.retention.bytes=1000000 sensitive=false synonyms={STATIC_BROKER_CONFIG:')
    expect(all).toContain('ssl.key.password=null sensitive=true')
    await configs(`${ofBroker} --alter --delete-config log.retention.ms,log.cleanup.policy`)
    expect(await retention('follows')).toBe('1000000')
    const alter = `${ofBroker} --alter --add-config`
    expect(await refusedConfigs(`${alter} num.partitions=3`)).toContain(
      'InvalidRequestException: Cannot update these configs dynamically: [num.partitions]',
    )
    expect(await refusedConfigs(`${alter} log.retention.ms=long`)).toContain(
      'InvalidRequestException: Invalid value long',
    )
    expect(await refusedConfigs(`${alter} no.such=1`)).toContain('InvalidConfigurationException')
  })

  test('a smaller message.max.bytes is in force at once', async () => {
    await ok('TopicCommand', '--create --topic small')
    const produce = (bytes: number) =>
      run('ConsoleProducer', '--topic small --sync', `${'x'.repeat(bytes)}\n`).then(({ out, err }) => out + err)
    expect(await produce(5000)).not.toContain('RecordTooLarge')
    await configs('--entity-type brokers --entity-default --alter --add-config message.max.bytes=2000')
    expect(await produce(5000)).toContain('RecordTooLarge')
    await configs('--entity-type brokers --entity-default --alter --delete-config message.max.bytes')
    expect(await produce(5000)).not.toContain('RecordTooLarge')
  })

  test('what one broker has no use for is answered truly, or refused in words', async () => {
    await ok('TopicCommand', '--create --topic single')
    expect(await refused('AclCommand', '--list')).toContain('SecurityDisabledException: No Authorizer is configured')
    const grant = '--force --allow-principal User:bob --operation Read --topic single'
    expect(await refused('AclCommand', `--add ${grant}`)).toContain('SecurityDisabledException')
    expect(await refused('AclCommand', `--remove ${grant}`)).toContain('SecurityDisabledException')
    expect(await configs('--entity-type clients --describe')).toBe('')
    expect(await configs('--entity-type client-metrics --describe')).toBe('')
    expect((await ok('ClientMetricsCommand', '--list')).trim()).toBe('')
    const elect = '--election-type preferred'
    expect(await ok('LeaderElectionCommand', `${elect} --topic single --partition 0`)).toContain('single-0')
    await ok('LeaderElectionCommand', `${elect} --all-topic-partitions`)
    expect(await refused('LeaderElectionCommand', `${elect} --topic nowhere --partition 0`)).toContain('nowhere-0')
    expect(await ok('reassign.ReassignPartitionsCommand', '--list')).toContain('No partition reassignments found')
    expect(await refused('MetadataQuorumCommand', 'describe --status')).toContain('does not support DESCRIBE_QUORUM')
    expect(await refused('FeatureCommand', 'upgrade --feature transaction.version=2')).toContain('UPDATE_FEATURES')
  })
})
