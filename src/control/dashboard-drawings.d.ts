// The drawings of the dashboard, which is taken in as text.
declare const text: string;
export default text;
