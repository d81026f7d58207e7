import { Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { expect, it } from 'vitest';
import { plainPolicy } from '../bench/plain-policies';
import { policy, shop } from './synth';

it('the bench compares the constructs with the same objects', () => {
  const [ours, plain] = [shop(), shop()];
  const { scheduleExpression } = policy(ours, {
    credentials: Secret.fromSecretName(ours, 'login', 'orders-db-login'),
  });
  plainPolicy(plain, 'shop', 'orders-db', scheduleExpression.split(' ')[0] ?? '');
  expect(Testing.synth(plain)).toEqual(Testing.synth(ours));
});
