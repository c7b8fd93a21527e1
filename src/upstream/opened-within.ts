import { CallClock, type CallLimits } from './call-clock.ts';
import { fault } from './faults.ts';

/** What `opening` gives, unless the call's own time is over or it is cancelled first; the opening itself goes on for the others. */
export function openedWithin<T>(opening: Promise<T>, limits: CallLimits, upstream: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const clock = new CallClock(limits, (why) =>
      reject(fault(why === 'timeout' ? 'upstream.timeout' : 'call.cancelled', upstream, `ended from our side while it was opened: ${why}`)),
    );
    opening.then(resolve, reject).finally(() => clock.stop());
  });
}
