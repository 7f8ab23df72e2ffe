const REGISTRY = 'https://github.com/OpenMobileAlliance/lwm2m-registry';
const MAX_LISTED = 10;

/** What a person can do about objects that no definition describes. */
export function missingDefinitions(objectIds: readonly number[]): string {
  const listed = objectIds.slice(0, MAX_LISTED).join(', ');
  const more = objectIds.length > MAX_LISTED ? ` and ${objectIds.length - MAX_LISTED} more` : '';
  const [objects, them, file] = objectIds.length === 1 ? ['object', 'it', 'its XML file'] : ['objects', 'them', 'their XML files'];
  return (
    `No definition of ${objects} ${listed}${more} is known, so values of ${them} have the type that the content format tells, if any. ` +
    `Add ${file} to the server's object definitions; get ${them} from ${REGISTRY} or from the maker of the device.`
  );
}
