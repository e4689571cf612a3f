export const dynamic = 'force-dynamic';

export default function Page() {
  return <p>Today's price: {12}</p>;
}
